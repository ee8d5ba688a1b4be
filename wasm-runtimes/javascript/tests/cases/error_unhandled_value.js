// expect: sandgate
Promise.reject(42);
