function primes(limit) {
  const sieve = new Uint8Array(limit + 1).fill(1);
  sieve[0] = sieve[1] = 0;
  for (let n = 2; n * n <= limit; n++) {
    if (sieve[n]) for (let m = n * n; m <= limit; m += n) sieve[m] = 0;
  }
  return sieve.reduce((found, isPrime) => found + isPrime, 0);
}
console.log(primes(200_000));
