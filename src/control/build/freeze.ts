/** Freezes plain data all the way down. What is frozen already is taken as frozen all the way down: it came from here. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  // Parts first, so that a frozen whole means frozen parts.
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
