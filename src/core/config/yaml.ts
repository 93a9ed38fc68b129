import {
  CORE_SCHEMA,
  constructFromEvents,
  EVENT_ID,
  type Event,
  getScalarValue,
  mergeTag,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
} from 'js-yaml';
import type { PlaceNode } from './paths.ts';

const SCHEMA = CORE_SCHEMA.withTags(mergeTag);

/** A configuration is some ten levels deep; deeper nesting and swarms of aliases are hostile. */
const MAX_DEPTH = 50;
const MAX_ALIASES = 10_000;

export interface YamlSource {
  /** `null` for an empty file. */
  readonly value: unknown;
  readonly events: readonly Event[];
  readonly documents: number;
}

/**
 * Parses YAML 1.2 with anchors and merge keys. Only the first document is constructed.
 *
 * @throws YAMLException, with the place as `mark`, for a syntax error, a duplicate key, or a limit exceeded
 */
export function parseYaml(file: string, text: string): YamlSource {
  const events = parseEvents(text, { filename: file, maxDepth: MAX_DEPTH });
  const documents = constructFromEvents(events, {
    source: text,
    filename: file,
    schema: SCHEMA,
    maxAliases: MAX_ALIASES,
    maxTotalMergeKeys: 100_000,
  });
  return { value: documents[0] ?? null, events, documents: documents.length };
}

/** Builds the tree of places of the first document from its events. */
export function yamlPlaces(text: string, events: readonly Event[]): PlaceNode | undefined {
  const anchors = new Map<string, PlaceNode>();
  let at = 0;

  function anchored(event: { anchorStart: number; anchorEnd: number }, node: PlaceNode): PlaceNode {
    if (event.anchorStart >= 0) anchors.set(text.slice(event.anchorStart, event.anchorEnd), node);
    return node;
  }

  function scalarStart(event: ScalarEvent): number {
    const quoted = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED;
    return quoted && event.valueStart > 0 ? event.valueStart - 1 : event.valueStart;
  }

  /** Reads one node, `at` standing on its event. */
  function read(): PlaceNode {
    const event = events[at++]!;
    switch (event.type) {
      case EVENT_ID.SCALAR:
        return anchored(event, { key: -1, value: scalarStart(event), children: undefined, merged: undefined });
      case EVENT_ID.ALIAS: {
        const target = anchors.get(text.slice(event.anchorStart, event.anchorEnd));
        return {
          key: -1,
          value: event.anchorStart,
          children: target?.children,
          merged: target?.merged,
        };
      }
      case EVENT_ID.SEQUENCE: {
        const children = new Map<string | number, PlaceNode>();
        const node = anchored(event, { key: -1, value: event.start, children, merged: undefined });
        for (let index = 0; at < events.length && events[at]!.type !== EVENT_ID.POP; index++) {
          const item = read();
          children.set(index, { ...item, key: item.value });
        }
        at++;
        return node;
      }
      case EVENT_ID.MAPPING: {
        const children = new Map<string | number, PlaceNode>();
        const node: PlaceNode = anchored(event, { key: -1, value: event.start, children, merged: undefined });
        while (at < events.length && events[at]!.type !== EVENT_ID.POP) {
          const keyEvent = events[at]!;
          const keyNode = read();
          const value = read();
          if (keyEvent.type !== EVENT_ID.SCALAR) continue;
          const name = getScalarValue(text, keyEvent);
          if (name === '<<' && keyEvent.style === SCALAR_STYLE.PLAIN) {
            const sources = value.children?.has(0) ? [...value.children.values()] : [value];
            node.merged = [...(node.merged ?? []), ...sources];
          } else {
            children.set(name, { ...value, key: keyNode.value });
          }
        }
        at++;
        return node;
      }
      default:
        return { key: -1, value: -1, children: undefined, merged: undefined };
    }
  }

  if (events[0]?.type !== EVENT_ID.DOCUMENT) return undefined;
  at = 1;
  const next = events[at];
  if (next === undefined || next.type === EVENT_ID.POP) return undefined;
  return read();
}
