/** Puts a strategy to work: parameters from its schema, what it would see, and the button that starts it. */
import {
  Alert,
  Button,
  Divider,
  MultiSelect,
  NumberInput,
  SegmentedControl,
  Select,
  Stack,
  Text,
  TextInput,
} from '@mantine/core'
import { IconAlertTriangle, IconRocket } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Failed, Loading } from '@/components/States'
import { SchemaForm } from '@/components/form/lazy'
import { notifyDone, notifyWarning } from '@/components/notify'
import { deploy, deployments } from '@/lib/api/deployments'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import { strategies } from '@/lib/api/strategies'
import {
  type Account,
  type Deployment,
  type DeploymentWish,
  type Strategy,
  TIMEFRAMES,
  type Timeframe,
} from '@/lib/api/types'
import { titleOf } from '@/lib/choices'
import { DeployPreview } from './DeployPreview'

interface DeployFormProps {
  account: Account
  symbols: readonly string[]
  /** Filled in at first. */
  suggested: { symbol: string; timeframe: Timeframe }
  /** Chosen already, e.g. from the strategy's page. */
  strategyName: string | undefined
  onChooseStrategy: (name: string) => void
  onDeployed: (deployment: Deployment) => void
}

export function DeployForm(props: DeployFormProps) {
  const { data, error, refetch } = useQuery(strategies.list())
  if (error) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={5} height={36} />
  const strategy = data.items.find(({ name }) => name === props.strategyName) ?? null
  return (
    <Stack gap="md">
      <Select
        label="Strategy"
        description={strategy?.description ?? 'What decides. The catalogue has the details.'}
        placeholder="Choose one"
        data={data.items.map(({ name }) => name)}
        value={strategy?.name ?? null}
        onChange={(name) => {
          if (name !== null) props.onChooseStrategy(name)
        }}
        searchable
      />
      {strategy && <Details key={strategy.name} {...props} strategy={strategy} />}
    </Stack>
  )
}

type DetailsProps = DeployFormProps & { strategy: Strategy }

function Details({ account, symbols, suggested, strategy, onDeployed }: DetailsProps) {
  const client = useQueryClient()
  const [parameters, setParameters] = useState<Record<string, unknown>>(strategy.defaults)
  const [chosen, setChosen] = useState<string[]>([suggested.symbol])
  const [timeframe, setTimeframe] = useState<Timeframe>(suggested.timeframe)
  const [capital, setCapital] = useState<string | number>('')
  const [name, setName] = useState('')
  const wish = { account_id: account.id, strategy: strategy.name, parameters, symbols: chosen, timeframe }
  const preview = useQuery({ ...deployments.preview(wish), enabled: chosen.length > 0 })
  const start = useMutation({
    mutationFn: (wanted: DeploymentWish) => deploy(wanted),
    onSuccess: ({ deployment, command }) => {
      void client.invalidateQueries({ queryKey: deployments.all })
      if (command?.state === 'succeeded') notifyDone(`${titleOf(deployment)} is running.`, 'Deployed')
      else
        notifyWarning(
          'The engine has not confirmed the start yet; the log will say when it has.',
          'Deployed, starting',
        )
      onDeployed(deployment)
    },
  })
  const fields = { ...fieldErrorsOf(preview.error), ...fieldErrorsOf(start.error) }
  const isLive = account.mode === 'live'
  const failure = start.error ?? (Object.keys(fields).length === 0 ? preview.error : null)

  return (
    <>
      <MultiSelect
        label="Symbols"
        description={
          strategy.is_panel
            ? 'All are decided together.'
            : 'Each is decided on its own; the capital is shared evenly.'
        }
        data={[...symbols]}
        value={chosen}
        onChange={setChosen}
        searchable
        error={chosen.length === 0 ? 'Choose at least one symbol.' : fields.symbols}
      />
      <div>
        <Text size="sm" fw={500} mb={4}>
          Timeframe
        </Text>
        <SegmentedControl
          aria-label="Timeframe"
          data={[...TIMEFRAMES]}
          value={timeframe}
          onChange={(next) => setTimeframe(next)}
        />
      </div>
      <NumberInput
        label="Capital"
        description={`In ${account.currency}. Empty: what the account’s limits allow.`}
        min={0}
        thousandSeparator=" "
        value={capital}
        onChange={setCapital}
        error={fields.capital}
      />
      <TextInput
        label="Name"
        description="Optional"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <Divider label="Parameters" labelPosition="left" />
      <SchemaForm
        id="deploy"
        schema={strategy.parameters_schema}
        values={parameters}
        onChange={setParameters}
        serverErrors={fields}
      />
      <DeployPreview preview={preview.data} isFetching={preview.isFetching} />
      {failure && (
        <Alert color="red" icon={<IconAlertTriangle />}>
          {sentenceOf(failure)}
        </Alert>
      )}
      {isLive && (
        <Alert color="red" variant="filled" icon={<IconAlertTriangle />}>
          This is a live account: the deployment trades real money.
        </Alert>
      )}
      <Button
        size="md"
        color={isLive ? 'red' : undefined}
        leftSection={<IconRocket size={16} />}
        loading={start.isPending}
        disabled={chosen.length === 0 || preview.isError}
        onClick={() =>
          start.mutate({
            ...wish,
            capital: capital === '' ? null : String(capital),
            name: name === '' ? null : name,
            start: true,
          })
        }
      >
        {isLive ? 'Deploy with real money' : `Deploy on ${account.mode}`}
      </Button>
    </>
  )
}
