const ROOM = 4096;
/** A row of as many is not much longer filled than its array is made. */
const MANY = ROOM / 8;

let room = new Float64Array(ROOM);
let taken = 0;

/** An array of zeros; of few as a part of a larger one, since to make an array for each row takes longer than to fill it. */
export function numberRoom(numbers: number): Float64Array {
  if (numbers > MANY) return new Float64Array(numbers);
  if (taken + numbers > ROOM) {
    room = new Float64Array(ROOM);
    taken = 0;
  }
  taken += numbers;
  return room.subarray(taken - numbers, taken);
}
