/** Asserts the name of a bucket or object store. @throws TypeError */
export function assertBucket(name: string): void {
  if (!/^[\w-]+$/.test(name)) throw new TypeError(`not a bucket's name: ${JSON.stringify(name)}; use A-Z a-z 0-9 _ -`);
}

/** Asserts a key: tokens of `[-/_=a-zA-Z0-9]` between dots. @throws TypeError */
export function assertKey(key: string): void {
  if (!/^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$/.test(key)) {
    throw new TypeError(`not a key: ${JSON.stringify(key)}; use tokens of A-Z a-z 0-9 - / _ = between dots`);
  }
}
