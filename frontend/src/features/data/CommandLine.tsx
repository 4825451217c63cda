/** The command that does the same, ready to be copied. */
import { ActionIcon, CopyButton, Tooltip } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import styles from './Imports.module.css'

export function CommandLine({ command }: { command: string }) {
  return (
    <div className={styles.command}>
      <span className="faint">Or, for a file on the server:</span>
      <div className={styles.commandLine}>
        <code tabIndex={0} role="region" aria-label="Command">
          {command}
        </code>
        <CopyButton value={command}>
          {({ copied, copy }) => (
            <Tooltip label={copied ? 'Copied' : 'Copy'}>
              <ActionIcon variant="subtle" color="gray" aria-label="Copy the command" onClick={copy}>
                {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
              </ActionIcon>
            </Tooltip>
          )}
        </CopyButton>
      </div>
    </div>
  )
}
