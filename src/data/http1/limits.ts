/** Bounds on what one message may make the proxy hold. */
export interface HeadLimits {
  /** The whole head: request or status line, fields, both empty lines. */
  readonly maxHeadBytes: number;
  /** The request line. */
  readonly maxLineBytes: number;
  readonly maxFields: number;
}

/** What an upstream's head may measure. */
export const RESPONSE_LIMITS: HeadLimits = { maxHeadBytes: 262_144, maxLineBytes: 8_192, maxFields: 1_000 };

/** All chunk extensions of one body: they carry nothing, and have been used to keep servers busy. */
export const MAX_EXTENSION_BYTES = 16_384;

/** The trailer section of one body. */
export const MAX_TRAILER_BYTES = 16_384;

export const MAX_TRAILER_FIELDS = 100;

/** 1xx responses before a final one. */
export const MAX_INFORMATIONAL = 64;

/** A request's method. The longest of IANA's registry has 17. */
export const MAX_METHOD_BYTES = 128;
