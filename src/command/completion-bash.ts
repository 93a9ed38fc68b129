/**
 * What may stand in a place: files; words that `proxy complete KIND` gets from the running proxy; words that are always
 * the same; anything.
 */
export type ValueKind =
  | 'file'
  | 'entrypoints'
  | 'urls'
  | 'hosts'
  | 'services'
  | 'servers'
  | 'methods'
  | 'shells'
  | 'any';

/** One verb, as far as completion is concerned. */
export interface CompletedVerb {
  /** `['certs', 'renew']` */
  readonly path: readonly string[];
  /** `value` is null for a switch. */
  readonly options: readonly { readonly name: string; readonly value: ValueKind | null }[];
  /** In order. */
  readonly args: readonly ValueKind[];
  /** The last one may be repeated. */
  readonly variadic: boolean;
}

const WORDS: Readonly<Partial<Record<ValueKind, string>>> = {
  methods: 'GET HEAD POST PUT PATCH DELETE OPTIONS',
  shells: 'bash',
};

/** The completion function, for bash 4 and later, with or without the package bash-completion. */
export function completionScript(verbs: readonly CompletedVerb[]): string {
  const top = verbs.filter((verb) => verb.path.length === 1).map((verb) => verb.path[0]!);
  const cases = (line: (verb: CompletedVerb) => string | null): string =>
    verbs
      .map((verb) => ({ key: verb.path.join(' '), text: line(verb) }))
      .filter(({ text }) => text !== null)
      .map(({ key, text }) => `    '${key}') ${text} ;;`)
      .join('\n');
  const below = (verb: CompletedVerb): string =>
    verbs
      .filter(
        (one) => one.path.length === verb.path.length + 1 && one.path.join(' ').startsWith(`${verb.path.join(' ')} `),
      )
      .map((one) => one.path.at(-1)!)
      .join(' ');
  const values = verbs.flatMap(({ path, options }) =>
    options
      .filter((option) => option.value !== null)
      .map(({ name, value }) => `    '${path.join(' ')}:${name}') kind=${value} ;;`),
  );
  const valued = [
    ...new Set(verbs.flatMap(({ options }) => options.filter((o) => o.value !== null).map((o) => o.name))),
  ];
  return `# Completion for bash: source <(proxy completion bash), or put this into /etc/bash_completion.d/proxy

# Offers those of its lines that begin with what is typed. No word is expanded: it may come from a configuration.
_proxy_offer() {
  local word
  while IFS= read -r word; do
    [[ -n $word && $word == "$cur"* ]] && COMPREPLY+=("$word")
  done
}

_proxy_words() { printf '%s\\n' $1; }

_proxy_kind() {
  case $1 in
    file)
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      compopt -o filenames 2>/dev/null
      ;;
    methods) _proxy_offer < <(_proxy_words '${WORDS.methods}') ;;
    shells) _proxy_offer < <(_proxy_words '${WORDS.shells}') ;;
    entrypoints | urls | hosts | services | servers) _proxy_offer < <("\${words[0]/#\\~/$HOME}" complete "$1" 2>/dev/null) ;;
  esac
}

_proxy() {
  local line=\${COMP_LINE:0:COMP_POINT} verb='' verbs='${top.join(' ')}' options='' variadic='' kind='' given=0 cur prev i
  local -a words args=()
  # Not COMP_WORDS: bash splits those at colons and equals signs.
  read -r -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  ((\${#words[@]} > 1)) || return 0
  cur=\${words[\${#words[@]} - 1]}
  prev=\${words[\${#words[@]} - 2]}
  COMPREPLY=()

  for ((i = 1; i < \${#words[@]} - 1; i++)); do
    case " $verbs " in
      *" \${words[i]} "*) verb="\${verb:+$verb }\${words[i]}" ;;
      *)
        [[ -z $verb && \${words[i]} != -* ]] && verbs=''
        # What stands behind an option is its value.
        case " ${valued.join(' ')} " in *" \${words[i - 1]} "*) continue ;; esac
        [[ -n $verb && \${words[i]} != -* ]] && ((given++))
        continue
        ;;
    esac
    verbs=''
    case $verb in
${cases((verb) => (below(verb) === '' ? null : `verbs='${below(verb)}'`))}
      *) ;;
    esac
  done

  case $verb in
${cases(({ options, args, variadic }) => `options='${options.map((o) => o.name).join(' ')}'${args.length === 0 ? '' : ` args=(${args.join(' ')})`}${variadic ? ' variadic=1' : ''}`)}
    *) options='--help --version' ;;
  esac

  if [[ $cur == --*=* ]]; then
    prev=\${cur%%=*}
    cur=\${cur#*=}
  fi
  case "$verb:$prev" in
${values.join('\n')}
    *) ;;
  esac

  if [[ -n $kind ]]; then
    _proxy_kind "$kind"
  elif [[ $cur == -* ]]; then
    _proxy_offer < <(_proxy_words "$options")
  else
    [[ -n $verbs ]] && _proxy_offer < <(_proxy_words "$verbs")
    [[ -n $variadic ]] && ((given >= \${#args[@]})) && given=$((\${#args[@]} - 1))
    ((given < \${#args[@]})) && _proxy_kind "\${args[given]}"
  fi

  # Readline replaces only what stands behind the last colon.
  if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local typed=\${cur%"\${cur##*:}"}
    for i in "\${!COMPREPLY[@]}"; do COMPREPLY[i]=\${COMPREPLY[i]#"$typed"}; done
  fi
}

complete -F _proxy proxy`;
}
