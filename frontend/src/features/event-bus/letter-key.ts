/** One dead letter has a name made of its handler, stream and seq. */
import type { DeadLetter } from './api'

export const letterKey = ({ handler, stream, seq }: Pick<DeadLetter, 'handler' | 'stream' | 'seq'>): string =>
  `${handler}/${stream}:${String(seq)}`

/** The place of its event in the journal. */
export const eventKeyOf = ({ stream, seq }: Pick<DeadLetter, 'stream' | 'seq'>): string =>
  `${stream}:${String(seq)}`
