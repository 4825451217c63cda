/** What is known of a gap, in sentences: its state, and each provider's answer. */
import { TimeAgo } from '@/components/Time'
import type { Gap } from '@/lib/api/types'
import styles from './Data.module.css'
import { GAP_WORDS, evidenceSentence, mayAskAgain } from './words'

export function GapEvidence({ gap }: { gap: Gap }) {
  const evidence = gap.evidence ?? []
  return (
    <div className={styles.evidence}>
      <p>{gap.detail || GAP_WORDS[gap.state].says}</p>
      {evidence.length > 0 && (
        <ul>
          {evidence.map((one, index) => (
            <li key={`${one.provider}-${String(index)}`}>
              {evidenceSentence(one)}{' '}
              {one.at && (
                <span className="faint">
                  <TimeAgo at={one.at} />
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
      {evidence.length === 0 && !gap.asked_at && mayAskAgain(gap) && (
        <p className="faint">No provider has been asked about it yet.</p>
      )}
    </div>
  )
}
