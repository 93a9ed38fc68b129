import type { RequestBodySink, RequestBodySource } from '../exchange.ts';

/** A request's body that may be read more than once. */
export abstract class KeptBody implements RequestBodySource {
  /** Whether it can be read from its start, again or for the first time. */
  abstract readonly replayable: boolean;
  abstract readBody(sink: RequestBodySink): void;
  abstract resumeBody(): void;
  /** Nobody reads for now. */
  abstract detach(): void;
  /** It will not be read again. */
  abstract release(): void;
}
