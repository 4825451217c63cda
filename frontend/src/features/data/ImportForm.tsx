/** Send a file: drop or choose it, say what it cannot say itself, and watch it go. */
import { Button, Collapse, Group, Progress, Select, TextInput, UnstyledButton } from '@mantine/core'
import { IconChevronDown, IconFileUpload } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ChangeEvent, type DragEvent, type SubmitEvent, useId, useRef, useState } from 'react'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import { imports, uploadFile } from '@/lib/api/imports'
import { TIMEFRAMES } from '@/lib/api/types'
import type { DataImport, ImportWish } from '@/lib/api/types'
import { formatBytes, formatPercent } from '@/lib/format'
import { CommandLine } from './CommandLine'
import styles from './Imports.module.css'
import { ACCEPT, commandOf, guess, isDbn, refusal } from './import-wish'

const KINDS = [
  { value: 'bars', label: 'Bars' },
  { value: 'ticks', label: 'Prints (ticks)' },
  { value: 'quotes', label: 'Quotes' },
  { value: 'options', label: 'Option chains' },
]

type Hints = Omit<ImportWish, 'file'>

export function ImportForm({ onSent }: { onSent: (sent: DataImport) => void }) {
  const [file, setFile] = useState<File | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const [hints, setHints] = useState<Hints>({ dataset: 'files' })
  const [hasMore, setHasMore] = useState(false)
  const [share, setShare] = useState(0)
  const stopper = useRef<AbortController | null>(null)
  const client = useQueryClient()
  const change = (part: Partial<Hints>) => setHints((before) => ({ ...before, ...part }))
  const wish: ImportWish = { ...hints, file: file?.name ?? 'FILE' }

  const send = useMutation({
    mutationFn: (chosen: File) => {
      stopper.current = new AbortController()
      setShare(0)
      return uploadFile(chosen, { ...hints, file: chosen.name }, setShare, stopper.current.signal)
    },
    onSuccess: (sent) => {
      setFile(null)
      onSent(sent)
    },
    onSettled: () => void client.invalidateQueries({ queryKey: imports.all }),
  })
  const choose = (chosen: File | undefined) => {
    if (!chosen) return
    const why = refusal(chosen)
    setProblem(why)
    setFile(why === null ? chosen : null)
    send.reset()
    if (why === null && !isDbn(chosen.name)) change(guess(chosen.name))
  }
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (file) send.mutate(file)
    else setProblem('Choose a file first.')
  }
  const errors = fieldErrorsOf(send.error)
  const wasStopped = send.error instanceof DOMException
  return (
    <form className={styles.form} onSubmit={submit}>
      <DropArea file={file} onChoose={choose} />
      <div className={styles.fields}>
        <TextInput
          label="Symbol"
          description="Unless a column says it"
          placeholder="SPY"
          value={hints.symbol ?? ''}
          error={errors.symbol}
          onChange={(event) =>
            change({ symbol: event.currentTarget.value.trim().toUpperCase() || undefined })
          }
        />
        <Select
          label="It holds"
          description="A DBN file says it itself"
          placeholder="Bars"
          data={KINDS}
          clearable
          value={hints.kind ?? null}
          onChange={(kind) => change({ kind: (kind ?? undefined) as Hints['kind'] })}
        />
        <Select
          label="Bars of"
          description="Unless their times tell"
          placeholder="from the file"
          data={[...TIMEFRAMES]}
          clearable
          value={hints.timeframe ?? null}
          onChange={(timeframe) => change({ timeframe: timeframe ?? undefined })}
        />
        <TextInput
          label="Data set"
          description="import:NAME"
          value={hints.dataset ?? ''}
          error={errors.dataset}
          onChange={(event) => change({ dataset: event.currentTarget.value.trim() })}
        />
      </div>
      <UnstyledButton
        className={styles.more}
        aria-expanded={hasMore}
        onClick={() => setHasMore((before) => !before)}
      >
        <IconChevronDown size={14} data-open={hasMore || undefined} aria-hidden /> Times and exchange
      </UnstyledButton>
      <Collapse expanded={hasMore}>
        <div className={styles.fields}>
          <TextInput
            label="Time zone"
            description="Of times that do not say it"
            placeholder="America/New_York"
            value={hints.tz ?? ''}
            error={errors.tz}
            onChange={(event) => change({ tz: event.currentTarget.value.trim() || undefined })}
          />
          <TextInput
            label="How times are written"
            description="When it is not plain"
            placeholder="%d.%m.%Y %H:%M"
            value={hints.date_format ?? ''}
            error={errors.date_format}
            onChange={(event) => change({ date_format: event.currentTarget.value || undefined })}
          />
          <TextInput
            label="Exchange"
            description="Whose sessions"
            placeholder="XNYS"
            value={hints.exchange ?? ''}
            error={errors.exchange}
            onChange={(event) =>
              change({ exchange: event.currentTarget.value.trim().toUpperCase() || undefined })
            }
          />
        </div>
      </Collapse>
      {(problem !== null || (send.error && !wasStopped)) && (
        <p role="alert" className={styles.problem}>
          {problem ?? sentenceOf(send.error)}
        </p>
      )}
      <div className={styles.send}>
        {send.isPending ? (
          <>
            <Progress
              value={share * 100}
              aria-label="Sent"
              className={styles.sending}
              transitionDuration={150}
            />
            <span className="tabular dim">
              {share < 1 ? `${formatPercent(share, { decimals: 0 })} sent` : 'Checking in…'}
            </span>
            <Button variant="default" onClick={() => stopper.current?.abort()}>
              Cancel
            </Button>
          </>
        ) : (
          <Group gap="sm">
            <Button type="submit" size="sm" leftSection={<IconFileUpload size={16} />}>
              Import
            </Button>
            <span className="faint">
              {file ? `${file.name}, ${formatBytes(file.size)}` : 'Importing a file again changes nothing.'}
            </span>
          </Group>
        )}
      </div>
      <CommandLine command={commandOf(wish)} />
    </form>
  )
}

function DropArea({ file, onChoose }: { file: File | null; onChoose: (file: File | undefined) => void }) {
  const [isOver, setOver] = useState(false)
  const id = useId()
  const drop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    onChoose(event.dataTransfer.files[0])
  }
  return (
    <div
      className={styles.drop}
      data-over={isOver || undefined}
      data-filled={file !== null || undefined}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <input
        id={id}
        type="file"
        accept={ACCEPT}
        className="visually-hidden"
        onChange={(event: ChangeEvent<HTMLInputElement>) => {
          onChoose(event.currentTarget.files?.[0])
          // So that the same file can be chosen again.
          event.currentTarget.value = ''
        }}
      />
      <label htmlFor={id}>
        <IconFileUpload size={22} stroke={1.5} aria-hidden />
        <span>
          {file ? (
            <b>{file.name}</b>
          ) : (
            <>
              <b>Choose a file</b> or drop it here
            </>
          )}
          <span className={styles.hint}>
            {file ? formatBytes(file.size) : 'CSV (also .gz), Parquet or Databento’s DBN'}
          </span>
        </span>
      </label>
    </div>
  )
}
