/** Problem documents (RFC 9457) as errors that speak in sentences. */

export interface Problem {
  title: string
  status: number
  detail: string
  code: string
  field?: string | null
  remedy?: string | null
  correlation_id?: string
  errors?: { field: string; detail: string }[]
  context?: Record<string, unknown>
}

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail)
    this.name = 'ApiError'
  }

  get status(): number {
    return this.problem.status
  }

  get code(): string {
    return this.problem.code
  }
}

/** What `fetch` throws when nobody answers. */
export class Unreachable extends Error {
  constructor() {
    super('The server does not answer.')
    this.name = 'Unreachable'
  }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'detail' in body && typeof body.detail === 'string'
}

export function toApiError(status: number, body: unknown): ApiError {
  if (isProblem(body)) return new ApiError({ ...body, status })
  return new ApiError({
    title: 'Unexpected answer',
    status,
    detail: `The server answered ${String(status)} without an explanation.`,
    code: 'unexpected_answer',
  })
}

export interface ErrorText {
  title: string
  detail: string
  remedy: string
  correlationId: string | null
}

export function describeError(error: unknown): ErrorText {
  if (error instanceof ApiError) {
    const { title, detail, remedy, correlation_id } = error.problem
    return { title, detail, remedy: remedy ?? '', correlationId: correlation_id ?? null }
  }
  if (error instanceof Unreachable) {
    return {
      title: 'The server does not answer',
      detail: 'Tradewright may be restarting, or the connection is down.',
      remedy: 'This page tries again by itself.',
      correlationId: null,
    }
  }
  return { title: 'Something went wrong', detail: String(error), remedy: '', correlationId: null }
}

/** The sentence alone, for a notification. */
export function sentenceOf(error: unknown): string {
  const { detail, remedy } = describeError(error)
  return remedy === '' ? detail : `${detail} ${remedy}`
}

/** Every field's own message, e.g. for a form. */
export function fieldErrorsOf(error: unknown): Record<string, string> {
  if (!(error instanceof ApiError)) return {}
  const { errors = [], field, detail } = error.problem
  const all = errors.map((each) => [each.field, each.detail] as const)
  if (field && all.length === 0) all.push([field, detail])
  return Object.fromEntries(all)
}
