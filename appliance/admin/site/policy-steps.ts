/** What a site file changes of policies, which name cameras by their keys. Pure. */

import { appError } from '../../../storage/base/errors.ts';
import type { Camera } from '../../../storage/catalog/index.ts';
import type { SiteDocument, SitePolicy } from './document.ts';
import type { MatchOptions } from './match.ts';
import type { PolicyStep, SiteState } from './plan.ts';
import { changedKeys, declaredOf, stepsOf } from './steps.ts';

/** What becomes of policies. */
export function policySteps(state: SiteState, document: SiteDocument, options: MatchOptions): PolicyStep[] {
  const items = state.policies.map((policy) => ({ ...policy, id: policy.name }));
  const builtIn = Object.keys(document.policies).find((name) => state.builtInPolicies.includes(name));
  if (builtIn !== undefined) {
    throw appError('invalid_argument', `policies.${builtIn}: comes with the release and cannot be changed`, {
      field: `policies.${builtIn}`,
      hint: 'make a policy of your own under another name',
    });
  }
  const named = namedCameras(state, document);
  const declared = declaredOf(document.policies);
  return stepsOf<SitePolicy, (typeof items)[number], PolicyStep>({ declared, items, options }, ({ wanted }, before) => {
    const { description, statements } = wanted;
    const resolved = statements.map((statement) => ({
      ...statement,
      resources: statement.resources.map((resource) => resourceText(resource, named)),
    }));
    return {
      changed: before === undefined ? [] : changedKeys(before, { description, statements: resolved }),
      payload: { policy: wanted },
    };
  });
}

/** The id and streams of a camera, by its key in the file; undefined streams: it is not there yet. */
export type NamedCameras = ReadonlyMap<string, Pick<Camera, 'id' | 'streams'> | undefined>;

function namedCameras(state: SiteState, { cameras, site }: SiteDocument): NamedCameras {
  const ids = new Map(
    state.marks.filter((mark) => mark.kind === 'camera' && mark.site === site).map((mark) => [mark.key, mark.itemId]),
  );
  return new Map(
    declaredOf(cameras).map(({ key, name }) => [
      key,
      state.cameras.find(({ id }) => id === ids.get(key)) ??
        state.cameras.find((camera) => camera.name.toLowerCase() === name.toLowerCase()),
    ]),
  );
}

/** @throws AppError invalid_argument  no camera of the file has the key, or it has no such source */
export function resourceText(
  resource: SitePolicy['statements'][number]['resources'][number],
  cameras: NamedCameras,
): string {
  if (typeof resource === 'string') return resource;
  const { camera: key, stream: role } = resource;
  if (!cameras.has(key)) {
    throw appError('invalid_argument', `no camera of this file has the key "${key}"`, {
      hint: 'a policy names cameras of its own file by their keys',
    });
  }
  const camera = cameras.get(key);
  // Not there yet: a text that no stored policy has.
  if (camera === undefined) return `camera/{${key}}/${role ?? ''}`;
  if (role === undefined) return `camera/${camera.id}`;
  const stream = camera.streams.find((each) => each.role === role);
  return `camera/${camera.id}/stream/${stream?.id ?? `{${role}}`}`;
}
