/** One gap: where, how much, why, what each provider answered, and the way to its series. */
import { Button, Group, Stack } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty, Loading } from '@/components/States'
import { Instant, TimeAgo } from '@/components/Time'
import { dataQuality } from '@/lib/api/data-quality'
import { useRows } from '@/lib/api/pages'
import type { GapFilter } from '@/lib/api/types'
import { formatFigure } from '@/lib/format'
import { GapEvidence } from './GapEvidence'
import { GapMark } from './Marks'
import { RepairButton } from './RepairButton'
import styles from './Data.module.css'
import { NEVER_ASKED, isOpenGap, mayAskAgain, seriesKey } from './words'

interface GapDrawerProps {
  gapId: number | undefined
  filter: GapFilter
  onClose: () => void
  onOpenSeries: (key: string) => void
}

export function GapDrawer({ gapId, filter, onClose, onOpenSeries }: GapDrawerProps) {
  const { rows, isPending } = useRows(useInfiniteQuery(dataQuality.gaps(filter)))
  const gap = rows.find(({ id }) => id === gapId)
  return (
    <SideDrawer
      isOpen={gapId !== undefined}
      onClose={onClose}
      title={<b>{gap ? `Gap in ${gap.symbol} ${gap.timeframe}` : 'Gap'}</b>}
      size={480}
    >
      {gapId !== undefined && !gap && isPending && <Loading />}
      {gapId !== undefined && !gap && !isPending && (
        <Empty title="This gap is not in the list">Clear the filters to look for it.</Empty>
      )}
      {gap && (
        <Stack gap="lg">
          <Facts
            facts={[
              ['State', <GapMark key="state" state={gap.state} />],
              [
                gap.state === 'repaired' ? 'Bars fetched' : 'Bars missing',
                formatFigure(gap.bars, { decimals: 0 }),
              ],
              ['Data set', gap.dataset],
              ['From', <Instant key="from" at={gap.start} />],
              ['To', <Instant key="to" at={gap.end} />],
              ['Detected', <TimeAgo key="detected" at={gap.detected_at} />],
              Boolean(gap.asked_at) && ['Providers asked', <TimeAgo key="asked" at={gap.asked_at} />],
              Boolean(gap.repaired_at) && ['Repaired', <TimeAgo key="repaired" at={gap.repaired_at} />],
            ]}
          />
          <GapEvidence gap={gap} />
          {isOpenGap(gap) && gap.dataset.startsWith('import:') && (
            <p className={styles.sentence}>{NEVER_ASKED}</p>
          )}
          <Group gap="sm">
            {mayAskAgain(gap) && <RepairButton wish={{ ids: [gap.id] }} />}
            <Button variant="default" onClick={() => onOpenSeries(seriesKey(gap))}>
              Open the series
            </Button>
          </Group>
        </Stack>
      )}
    </SideDrawer>
  )
}
