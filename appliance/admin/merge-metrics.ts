/**
 * Several Prometheus texts as one: families are brought together, and every sample says whose it is. Pure.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */

export type RoleMetrics = { readonly role: string; readonly text: string };

type Family = { readonly comments: string[]; readonly samples: string[] };

/** The texts as one, each sample with the label `role` in front. Lines that are none are dropped. */
export function mergeMetrics(texts: readonly RoleMetrics[]): string {
  const families = new Map<string, Family>();
  for (const { role, text } of texts) addTo(families, role, text);
  const lines = [...families.values()].flatMap((family) =>
    family.samples.length === 0 ? [] : [...family.comments, ...family.samples],
  );
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function addTo(families: Map<string, Family>, role: string, text: string): void {
  let family: Family | undefined;
  for (const line of text.split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) /.exec(line);
    if (comment !== null) {
      const [, kind = '', name = ''] = comment;
      family = familyOf(families, name);
      // Each role brings the same words: the first one's stand.
      if (!family.comments.some((known) => known.startsWith(`# ${kind} `))) family.comments.push(line);
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+(?: -?\d+)?)$/.exec(line);
    if (sample === null) continue;
    const [, name = '', labels = '', value = ''] = sample;
    family ??= familyOf(families, name);
    const all = [`role="${role}"`, ...(labels === '' ? [] : [labels])].join(',');
    family.samples.push(`${name}{${all}} ${value}`);
  }
}

function familyOf(families: Map<string, Family>, name: string): Family {
  const known = families.get(name);
  if (known !== undefined) return known;
  const family: Family = { comments: [], samples: [] };
  families.set(name, family);
  return family;
}
