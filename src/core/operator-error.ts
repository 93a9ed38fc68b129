/** Something that an operator can mend: its message says what and how, in one line. It is printed without a stack trace. */
export class OperatorError extends Error {}
