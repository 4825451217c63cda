/** Ctrl+K: every page, symbol and deployment by name, and the common actions. */
import { useMantineColorScheme } from '@mantine/core'
import { Spotlight, type SpotlightActionGroupData } from '@mantine/spotlight'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { IconChartCandle, IconPlus, IconRocket, IconSearch, IconSun, IconTicket } from '@tabler/icons-react'
import { useAccount } from '@/lib/account'
import { deployments } from '@/lib/api/deployments'
import { useRows } from '@/lib/api/pages'
import { stocks } from '@/lib/api/stocks'
import { GROUPS } from './pages'

export function CommandPalette() {
  const navigate = useNavigate()
  const { toggleColorScheme } = useMantineColorScheme()
  const { account } = useAccount()
  const { data: listed } = useQuery({ ...stocks.list(account?.id ?? null), enabled: account !== null })
  const running = useRows(
    useInfiniteQuery({ ...deployments.list({ account_id: account?.id }), enabled: account !== null }),
  )

  const groups: SpotlightActionGroupData[] = [
    {
      group: 'Pages',
      actions: GROUPS.flatMap((group) =>
        group.pages.map(({ to, label, icon: Icon }) => ({
          id: to,
          label,
          leftSection: <Icon size={16} stroke={1.7} />,
          onClick: () => void navigate({ to }),
        })),
      ),
    },
    {
      group: 'Actions',
      actions: [
        {
          id: 'deploy',
          label: 'Deploy a strategy',
          leftSection: <IconPlus size={16} />,
          onClick: () => void navigate({ to: '/deployments', search: { deploy: 'choose' } }),
        },
        {
          id: 'ticket',
          label: 'Place an order',
          leftSection: <IconTicket size={16} />,
          onClick: () => void navigate({ to: '/orders', search: { ticket: true } }),
        },
        {
          id: 'appearance',
          label: 'Switch between dark and light',
          leftSection: <IconSun size={16} />,
          onClick: () => toggleColorScheme(),
        },
      ],
    },
    {
      group: 'Symbols',
      actions: (listed?.items ?? []).map((stock) => ({
        id: `symbol-${stock.symbol}`,
        label: stock.symbol,
        description: stock.name ?? undefined,
        leftSection: <IconChartCandle size={16} stroke={1.7} />,
        onClick: () => void navigate({ to: '/market', search: { symbol: stock.symbol } }),
      })),
    },
    {
      group: 'Deployments',
      actions: running.rows.map((deployment) => ({
        id: `deployment-${String(deployment.id)}`,
        label: deployment.name ?? `${deployment.strategy} on ${deployment.symbols.join(', ')}`,
        description: `Deployment ${String(deployment.id)}, ${deployment.state}`,
        leftSection: <IconRocket size={16} stroke={1.7} />,
        onClick: () =>
          void navigate({
            to: '/deployments/$deploymentId',
            params: { deploymentId: String(deployment.id) },
          }),
      })),
    },
  ]

  return (
    <Spotlight
      actions={groups}
      shortcut={['mod + K']}
      nothingFound="Nothing by that name."
      highlightQuery
      yOffset={88}
      overlayProps={{ blur: 0, backgroundOpacity: 0.45 }}
      limit={30}
      scrollable
      maxHeight={420}
      searchProps={{
        leftSection: <IconSearch size={16} />,
        placeholder: 'Search or run…',
        'aria-label': 'Search or run',
      }}
    />
  )
}
