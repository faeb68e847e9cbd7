/** PostgreSQL's wire form of a decimal number such as '-12.50', with digits in groups of four around the point. */
export function numericWire(decimal: string): Buffer {
  const negative = decimal.startsWith('-');
  const [whole = '', fraction = ''] = decimal.replace('-', '').split('.');
  const left = whole.padStart(Math.ceil(whole.length / 4) * 4, '0');
  const right = fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0');
  const groups = (left + right).match(/.{4}/g)?.map(Number) ?? [];
  let weight = left.length / 4 - 1;
  while (groups[0] === 0) {
    groups.shift();
    weight -= 1;
  }
  while (groups.at(-1) === 0) groups.pop();
  return wire(groups, groups.length === 0 ? 0 : weight, negative ? 0x4000 : 0, fraction.length);
}

/** NaN and the infinities have no digits, only a sign. */
export function numericSpecial(sign: 0xc000 | 0xd000 | 0xf000): Buffer {
  return wire([], 0, sign, 0);
}

function wire(groups: readonly number[], weight: number, sign: number, scale: number): Buffer {
  const bytes = Buffer.alloc(8 + 2 * groups.length);
  bytes.writeUInt16BE(groups.length, 0);
  bytes.writeInt16BE(weight, 2);
  bytes.writeUInt16BE(sign, 4);
  bytes.writeInt16BE(scale, 6);
  groups.forEach((group, index) => bytes.writeInt16BE(group, 8 + 2 * index));
  return bytes;
}
