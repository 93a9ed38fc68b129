/** FNV-1a over the UTF-16 units of a text; 32 bits, to be mixed before use: its high bits differ little for like texts. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** The finaliser of MurmurHash3: every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * The score of a candidate for a key in weighted rendezvous hashing: the highest wins, each candidate wins its weight's share
 * of all keys, and a change of the set moves only the keys that must move.
 */
export function rendezvousScore(keyHash: number, candidateHash: number, weight: number): number {
  const high = mix(keyHash ^ mix(candidateHash));
  const low = mix((high + keyHash + 0x9e3779b9) | 0);
  // 52 bits, never 0 or 1.
  const uniform = ((high >>> 6) * 0x4000000 + (low >>> 6) + 0.5) / 0x10000000000000;
  return weight / -Math.log(uniform);
}
