/** What kind of problem a rule has. Stable: they are the codes of diagnostics. */
export type RuleProblemCode =
  /** The rule cannot be read. */
  | 'rule-syntax'
  /** No such matcher, or not in this kind of rule. */
  | 'rule-unknown-matcher'
  /** A value or the number of values is wrong. */
  | 'rule-value'
  /** Written for version 2 of the rule language, where it meant something else. */
  | 'rule-v2-syntax'
  /** Valid, and true for no request: a warning. */
  | 'rule-never-matches'
  /** Valid, and probably not what was meant: a warning. */
  | 'rule-suspicious'
  /** Over a limit of length or depth. */
  | 'rule-too-large';

/** One finding about a rule. */
export interface RuleProblem {
  /** Where, in UTF-16 units from the start of the rule. */
  readonly offset: number;
  readonly message: string;
  /** What to write instead. */
  readonly hint?: string;
  readonly code: RuleProblemCode;
}
