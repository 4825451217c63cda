/** Instants in forms: UTC as the server writes them, to the minute. */

const MINUTE = 16

/** `2026-01-05T15:00` of an instant, in UTC. */
export const toField = (instant: string | Date): string => new Date(instant).toISOString().slice(0, MINUTE)

/** The instant that a field means; null while it is none. */
export function fromField(text: string): string | null {
  if (text.length < MINUTE) return null
  const instant = new Date(`${text}Z`)
  return Number.isNaN(instant.getTime()) ? null : instant.toISOString()
}
