// Totals by customer out of JSON.
const orders = JSON.stringify(
  Array.from({ length: 400 }, (_, i) => ({
    customer: `c${i % 7}`,
    items: [{ price: (i % 13) + 0.5, count: (i % 3) + 1 }],
  })),
);
const totals = {};
for (const order of JSON.parse(orders)) {
  const sum = order.items.reduce((total, item) => total + item.price * item.count, 0);
  totals[order.customer] = (totals[order.customer] ?? 0) + sum;
}
console.log(totals);
