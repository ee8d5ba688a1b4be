let x = 5;
let b = a +* 2;
