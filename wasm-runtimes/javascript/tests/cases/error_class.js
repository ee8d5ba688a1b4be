class MyErr extends Error { constructor(m) { super(m); this.name = 'MyErr'; this.code = 5; } }
function f() {
   throw new MyErr("boom") }
f()
