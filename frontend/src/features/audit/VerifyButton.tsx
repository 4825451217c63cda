/** Recomputes the chains of hashes, and says where the first one breaks. */
import { Button, Modal, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { Badge } from '@/components/Badge'
import { Facts } from '@/components/Facts'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { formatFigure } from '@/lib/format'
import { audit } from './api'
import { rowsLookedAt, saidOf } from './verdict'

const count = (value: number) => formatFigure(value, { decimals: 0 })

export function VerifyButton() {
  const [isOpen, dialog] = useDisclosure(false)
  const { data, error, isFetching, refetch } = useQuery(audit.verdict())
  const verify = () => {
    dialog.open()
    void refetch()
  }
  return (
    <>
      <Button size="compact-xs" variant="default" onClick={verify}>
        Verify
      </Button>
      <Modal opened={isOpen} onClose={dialog.close} title="Was anything rewritten?">
        {isFetching ? (
          <Loading rows={3} />
        ) : error ? (
          <Failed error={error} onRetry={verify} />
        ) : (
          data && (
            <Stack gap="md">
              <Text size="sm" role="status">
                {data.ok ? (
                  <Badge tone="good">Every chain holds</Badge>
                ) : (
                  <Badge tone="critical">Broken</Badge>
                )}{' '}
                {saidOf(data)}
              </Text>
              {data.bad.length > 1 && (
                <ul aria-label="Broken chains">
                  {data.bad.map(({ stream, seq, detail }) => (
                    <li key={`${stream}:${String(seq)}`}>{detail}</li>
                  ))}
                </ul>
              )}
              <Facts
                facts={[
                  ['Looked at', rowsLookedAt(data)],
                  ['Chain ends noted outside the database', count(data.anchors)],
                  ['Last noted', data.anchored_at ? <TimeAgo key="at" at={data.anchored_at} /> : 'not yet'],
                ]}
              />
              <Text size="xs" c="dimmed">
                Older rows are checked every night, and by “tradewright audit verify”. Rows that were cut off
                the end before it was noted, once an hour, would not be missed.
              </Text>
            </Stack>
          )
        )}
      </Modal>
    </>
  )
}
