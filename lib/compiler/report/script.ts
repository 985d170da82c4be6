/** What the report's page does in a browser: sort, filter, point. Without it everything is readable all the same. */
export const SCRIPT = `
'use strict';
for (const table of document.querySelectorAll('table')) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector('button');
    if (button === null) return;
    button.addEventListener('click', () => {
      const downwards = head.getAttribute('aria-sort') === 'ascending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', downwards ? 'descending' : 'ascending');
      const isNumber = head.classList.contains('number');
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row, index) => ({ row, index, key: row.cells[column].dataset.key ?? '' }));
      rows.sort((a, b) => {
        const order = isNumber ? Number(a.key) - Number(b.key) : a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
        return (downwards ? -order : order) || a.index - b.index;
      });
      body.append(...rows.map(({ row }) => row));
    });
  });
}
const filter = document.getElementById('filter');
if (filter !== null) {
  const rows = [...document.getElementById('nodes').tBodies[0].rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  filter.addEventListener('input', () => {
    const words = filter.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => texts[index].includes(word));
      if (!row.hidden) shown += 1;
    });
    document.getElementById('shown').textContent = shown === rows.length ? shown + ' nodes' : shown + ' of ' + rows.length + ' nodes';
  });
}
const tip = document.getElementById('tip');
const points = [...document.querySelectorAll('.point[data-candidate]')];
const same = (point) => points.filter((other) => other.dataset.candidate === point.dataset.candidate);
const show = (point) => {
  for (const other of same(point)) other.classList.add('pointed');
  tip.textContent = point.dataset.text;
  tip.hidden = false;
  const at = point.getBoundingClientRect();
  const left = Math.min(at.right + 8, document.documentElement.clientWidth - tip.offsetWidth - 8);
  tip.style.left = Math.max(8, left) + window.scrollX + 'px';
  tip.style.top = Math.max(8, at.top - tip.offsetHeight - 4) + window.scrollY + 'px';
};
const hide = (point) => {
  for (const other of same(point)) other.classList.remove('pointed');
  tip.hidden = true;
};
for (const point of points) {
  point.querySelector('title')?.remove();
  point.setAttribute('aria-label', point.dataset.text);
  point.addEventListener('pointerenter', () => show(point));
  point.addEventListener('focus', () => show(point));
  point.addEventListener('pointerleave', () => hide(point));
  point.addEventListener('blur', () => hide(point));
}
window.addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details.block')) details.open = true;
});
`;
