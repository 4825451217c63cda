/** When a job is due, as a person says it: cron's five fields in words, where they are simple. */
import { plural } from '@/lib/format'

const CRON = /^(\S+) (\S+) \* \* \* \(([^)]+)\)$/
const NUMBERS = /^\d+(,\d+)*$/
/** `2-59/5`: every five minutes, from the second on. */
const STEPS = /^(?:\*|\d+-\d+)\/(\d+)$/

const two = (value: string): string => value.padStart(2, '0')

/** `America/New_York` → `New York`; UTC stays. */
const placeOf = (zone: string): string => (zone.split('/').at(-1) ?? zone).replaceAll('_', ' ')

const all = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1) ?? ''}`

/** `30 1 * * * (America/New_York)` → `daily at 01:30 New York`; what is not so simple stays as it is. */
export function dueWords(schedule: string | null | undefined): string {
  if (!schedule) return 'when somebody asks'
  const found = CRON.exec(schedule)
  if (!found) return schedule
  const [, minutes = '', hours = '', zone = ''] = found
  const step = STEPS.exec(minutes)?.[1]
  if (step !== undefined && hours === '*') return `every ${plural(Number(step), 'minute')}`
  if (!NUMBERS.test(minutes)) return schedule
  const at = minutes.split(',').map(two)
  if (hours === '*') return `hourly at ${all(at.map((minute) => `:${minute}`))}`
  if (!NUMBERS.test(hours)) return schedule
  const times = hours.split(',').flatMap((hour) => at.map((minute) => `${two(hour)}:${minute}`))
  return `daily at ${all(times)} ${placeOf(zone)}`
}
