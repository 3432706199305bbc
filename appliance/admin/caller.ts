/** Who sent a request, as routes see it. */

import type { FastifyRequest } from 'fastify';
import { must } from '../../storage/base/assert.ts';
import { appError } from '../../storage/base/errors.ts';
import type { Actor } from '../../storage/catalog/index.ts';
import { decide, decideAny, type Resource, type Subject } from './authoriser.ts';

export class Caller {
  readonly subject: Subject;
  readonly address: string;
  readonly requestId: string;
  /** The session of a person's cookie; undefined for tokens and the machine's own socket. */
  readonly session: { readonly id: string; readonly expiresMs: number } | undefined;

  constructor(facts: {
    readonly subject: Subject;
    readonly address: string;
    readonly requestId: string;
    readonly session?: { readonly id: string; readonly expiresMs: number } | undefined;
  }) {
    this.subject = facts.subject;
    this.address = facts.address;
    this.requestId = facts.requestId;
    this.session = facts.session;
  }

  /** As audit rows name it. */
  get actor(): Actor {
    const { kind, id, name } = this.subject;
    return { kind, id, name, address: this.address, requestId: this.requestId };
  }

  may(action: string, resource: Resource): boolean {
    return decide(this.subject, action, resource);
  }

  /** True when there may be a resource with which they may. */
  mayAny(action: string): boolean {
    return decideAny(this.subject, action);
  }

  /**
   * @throws AppError unauthenticated    nobody is logged in
   * @throws AppError permission_denied  the authoriser says no
   */
  require(action: string, resource: Resource): void {
    if (!this.may(action, resource)) throw this.refusal(action);
  }

  /** What a refused caller is told. */
  refusal(action: string) {
    if (this.subject.kind === 'anonymous') {
      return appError('unauthenticated', 'log in first', {
        hint: 'POST /api/session with name and password, or send an API token as "authorization: Bearer ..."',
      });
    }
    if (this.subject.mustChangePassword) {
      return appError('permission_denied', 'the one-time password must be replaced first', {
        hint: 'POST /api/session/password with currentPassword and newPassword',
      });
    }
    return appError('permission_denied', `your role does not allow "${action}" here`, {
      hint: 'ask an administrator of this appliance',
    });
  }
}

const decoration = 'weirCaller';

/** Makes room for the caller on every request. */
export const callerDecoration = decoration;

/** Who sent the request. The hook of `app.ts` has found out before any route runs. */
export function callerOf(request: FastifyRequest): Caller {
  return must(request.getDecorator<Caller | undefined>(decoration), 'the caller was found before the route');
}

export function setCaller(request: FastifyRequest, caller: Caller): void {
  request.setDecorator(decoration, caller);
}
