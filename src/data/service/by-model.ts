import type { ByModel } from '../../core/config/dynamic.ts';
import { ProxyError } from '../../core/errors.ts';
import type { Endpoint } from '../balancer/types.ts';
import { findJsonField, stringOf } from '../body/json-field.ts';
import { peekBody } from '../body/peek-body.ts';
import type { Exchange } from '../exchange.ts';
import { HeaderList } from '../headers/header-list.ts';
import type { FindServing, Serving } from './serving.ts';

/**
 * `byModel`: the service of the model that the request's JSON body names. Names that end in `*` stand for all that begin so;
 * the exact one wins, then the longest. Requests without a model, and those for another one, go to `default`; where there is
 * none they get 404 as model servers say it.
 */
export class ByModelService implements Serving {
  readonly name: string;
  readonly #exact = new Map<string, Serving>();
  readonly #prefixes: readonly { readonly prefix: string; readonly serving: Serving }[];
  readonly #otherwise: Serving | null;
  readonly #all: readonly Serving[];
  readonly #limit: number;

  constructor(name: string, config: ByModel, find: FindServing) {
    this.name = name;
    const prefixes: { prefix: string; serving: Serving }[] = [];
    for (const [model, service] of Object.entries(config.models)) {
      if (model.endsWith('*')) prefixes.push({ prefix: model.slice(0, -1), serving: find(service) });
      else this.#exact.set(model, find(service));
    }
    this.#prefixes = prefixes.sort((a, b) => b.prefix.length - a.prefix.length);
    this.#otherwise = config.default === undefined || config.default === '' ? null : find(config.default);
    this.#all = [
      ...new Set([
        ...this.#exact.values(),
        ...prefixes.map((one) => one.serving),
        ...(this.#otherwise === null ? [] : [this.#otherwise]),
      ]),
    ];
    this.#limit = config.maxBodyBytes;
  }

  get available(): boolean {
    return this.#all.some((serving) => serving.available);
  }

  get reachable(): boolean {
    return this.#all.some((serving) => serving.reachable);
  }

  get endpoints(): readonly Endpoint[] {
    return this.#all.flatMap((serving) => serving.endpoints);
  }

  peek(): null {
    return null;
  }

  handle(exchange: Exchange): void {
    exchange.serviceName = this.name;
    peekBody(
      exchange,
      this.#limit,
      (text) => {
        const { kind } = findJsonField(text, 'model');
        return kind === 'found' || kind === 'absent';
      },
      (text) => this.#send(exchange, stringOf(text, findJsonField(text, 'model'))),
    );
  }

  #send(exchange: Exchange, model: string | null): void {
    const serving = (model === null ? undefined : this.#of(model)) ?? this.#otherwise;
    if (serving !== null) {
      serving.handle(exchange);
      return;
    }
    const message = model === null ? 'The request names no model.' : `The model \`${model}\` does not exist.`;
    exchange.error = new ProxyError('PROXY_NO_ROUTE', `${this.name}: ${message}`);
    exchange.reply(
      404,
      HeaderList.of('Content-Type', 'application/json'),
      JSON.stringify({ error: { message, type: 'invalid_request_error', param: 'model', code: 'model_not_found' } }),
    );
  }

  #of(model: string): Serving | undefined {
    return this.#exact.get(model) ?? this.#prefixes.find(({ prefix }) => model.startsWith(prefix))?.serving;
  }
}
