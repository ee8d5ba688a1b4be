// Sort people by two keys.
const people = Array.from({ length: 5000 }, (_, i) => ({ age: (i * 7919) % 1009, name: `name${(i * 31) % 977}` }));
people.sort((a, b) => a.age - b.age || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
console.log(people.slice(0, 3), people.at(-1));
