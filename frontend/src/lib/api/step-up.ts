/** Some things need a fresh proof of who one is: asks for it, then repeats the request that was refused. */

/** Resolves with whether the person has proved it. */
export type Asker = () => Promise<boolean>

const REFUSED = 403
export const STEP_UP_NEEDED = 'step_up_required'

let asker: Asker | null = null
let asked: Promise<boolean> | null = null

/** Whoever shows the dialog; there is one at a time. */
export function onStepUp(next: Asker): () => void {
  asker = next
  return () => {
    if (asker === next) asker = null
  }
}

/** Several requests that are refused at once are one question. */
function ask(): Promise<boolean> {
  asked ??= (asker ?? (() => Promise.resolve(false)))().finally(() => {
    asked = null
  })
  return asked
}

async function isStepUp(response: Response): Promise<boolean> {
  if (response.status !== REFUSED) return false
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => null)
  return typeof body === 'object' && body !== null && 'code' in body && body.code === STEP_UP_NEEDED
}

/** As `fetch`, but what needs a fresh proof is sent once more after it was given. */
export async function fetchProving(request: Request): Promise<Response> {
  // Sending uses a body up, so the repeat needs a copy from before.
  const repeat = request.clone()
  const response = await globalThis.fetch(request)
  if (asker === null || !(await isStepUp(response))) return response
  return (await ask()) ? globalThis.fetch(repeat) : response
}
