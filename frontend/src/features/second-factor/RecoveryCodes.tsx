/** The recovery codes, this once: to print or keep beside the passwords. */
import { Button, CopyButton, Group, Stack, Text } from '@mantine/core'
import styles from './SecondFactor.module.css'

export function RecoveryCodes({ codes, onDone }: { codes: readonly string[]; onDone: () => void }) {
  return (
    <Stack gap="md" maw={520}>
      <Text size="sm">
        <b>Two-factor sign-in is on.</b> Keep these recovery codes where you would look without your phone.
        Each works once in place of a code, and they are not shown again.
      </Text>
      <ul className={styles.codes} aria-label="Recovery codes">
        {codes.map((code) => (
          <li key={code} className="mono">
            {code}
          </li>
        ))}
      </ul>
      <Group>
        <CopyButton value={codes.join('\n')}>
          {({ copied, copy }) => (
            <Button size="sm" variant="default" onClick={copy}>
              {copied ? 'Copied' : 'Copy them all'}
            </Button>
          )}
        </CopyButton>
        <Button size="sm" onClick={onDone}>
          I have kept them
        </Button>
      </Group>
    </Stack>
  )
}
