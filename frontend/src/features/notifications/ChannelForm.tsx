/** A channel in a drawer: where it leads, what it hears of, and when it is left in peace. */
import {
  Button,
  Group,
  MultiSelect,
  NumberInput,
  Select,
  Stack,
  Switch,
  Text,
  TextInput,
} from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { notifyDone } from '@/components/notify'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import type { Severity } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import { type Channel, addChannel, changeChannel, channels } from './api'
import { CATEGORIES, type Draft, draftOf, emptyDraft, settingsOf } from './draft'

const SEVERITIES: readonly Severity[] = ['info', 'warning', 'error', 'critical']
const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'

/** `channel` null: a new one. */
export function ChannelForm({ channel, onDone }: { channel: Channel | null; onDone: () => void }) {
  const client = useQueryClient()
  const [draft, setDraft] = useState<Draft>(() => (channel ? draftOf(channel) : emptyDraft(ownZone())))
  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }))
  const save = useMutation({
    mutationFn: () =>
      channel
        ? changeChannel({ id: channel.id, ...settingsOf(draft), url: draft.url.trim() || null })
        : addChannel({ name: draft.name.trim(), url: draft.url.trim(), ...settingsOf(draft) }),
    onSuccess: (saved) => {
      notifyDone('Send a test message to see that it arrives.', `${saved.name} is kept`)
      void client.invalidateQueries({ queryKey: channels().queryKey })
      onDone()
    },
  })
  const errors = fieldErrorsOf(save.error)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {!channel && (
          <TextInput
            label="Name"
            value={draft.name}
            onChange={(event) => set({ name: event.currentTarget.value })}
            error={errors.name}
            data-autofocus
          />
        )}
        <TextInput
          label={channel ? 'New address' : 'Address'}
          description={
            channel
              ? `Now ${channel.hint}. Empty: it stays.`
              : 'As apprise writes it, e.g. mailtos://user:password@example.com?to=you@example.com, tgram://… or json://…. Sealed at once.'
          }
          autoComplete="off"
          spellCheck={false}
          value={draft.url}
          onChange={(event) => set({ url: event.currentTarget.value })}
          error={errors.url}
        />
        <Hears draft={draft} set={set} errors={errors} />
        <Quiet draft={draft} set={set} errors={errors} />
        {save.error && Object.keys(errors).length === 0 && (
          <Text size="sm" c="var(--tw-error)" role="alert">
            {sentenceOf(save.error)}
          </Text>
        )}
        <Group>
          <Button
            type="submit"
            size="sm"
            loading={save.isPending}
            disabled={!channel && (draft.name.trim() === '' || draft.url.trim() === '')}
          >
            Keep it
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

interface PartProps {
  draft: Draft
  set: (change: Partial<Draft>) => void
  errors: Record<string, string>
}

function Hears({ draft, set, errors }: PartProps) {
  return (
    <>
      <Select
        label="From this severity up"
        data={SEVERITIES.map((value) => ({ value, label: formatName(value) }))}
        value={draft.min_severity}
        allowDeselect={false}
        onChange={(next) =>
          set({ min_severity: SEVERITIES.find((each) => each === next) ?? draft.min_severity })
        }
        error={errors.min_severity}
      />
      <MultiSelect
        label="About"
        description="None: about everything."
        size="sm"
        data={CATEGORIES.map((value) => ({ value, label: formatName(value) }))}
        value={draft.categories}
        onChange={(next) => set({ categories: CATEGORIES.filter((each) => next.includes(each)) })}
        error={errors.categories}
      />
      <NumberInput
        label="Step"
        description="0 hears at once; 1 when a critical alert stays unacknowledged, and so on."
        min={0}
        max={9}
        value={draft.level}
        onChange={(next) => set({ level: Number(next) || 0 })}
        error={errors.level}
      />
      <Switch
        label="Hears that it is over, too"
        checked={draft.tells_resolved}
        onChange={(event) => set({ tells_resolved: event.currentTarget.checked })}
      />
      <Switch
        label="Gets the daily digest"
        checked={draft.wants_digest}
        onChange={(event) => set({ wants_digest: event.currentTarget.checked })}
      />
      <Switch
        label="Switched on"
        checked={draft.is_enabled}
        onChange={(event) => set({ is_enabled: event.currentTarget.checked })}
      />
    </>
  )
}

function Quiet({ draft, set, errors }: PartProps) {
  return (
    <>
      <Group grow align="start">
        <TextInput
          type="time"
          label="Quiet from"
          value={draft.quiet_from}
          onChange={(event) => set({ quiet_from: event.currentTarget.value })}
          error={errors.quiet_from}
        />
        <TextInput
          type="time"
          label="to"
          value={draft.quiet_to}
          onChange={(event) => set({ quiet_to: event.currentTarget.value })}
          error={errors.quiet_to}
        />
      </Group>
      <TextInput
        label="Time zone"
        description="In quiet hours only what is critical passes; the rest comes later."
        value={draft.time_zone}
        onChange={(event) => set({ time_zone: event.currentTarget.value })}
        error={errors.time_zone}
      />
    </>
  )
}
