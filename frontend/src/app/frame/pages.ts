/** The pages there are, in the groups the sidebar and the palette show. */
import {
  IconActivityHeartbeat,
  IconArrowsExchange,
  IconBulb,
  IconChartCandle,
  IconChartDonut3,
  IconChecklist,
  IconDatabase,
  IconHome,
  IconListDetails,
  IconRocket,
  IconSettings,
  IconShieldHalf,
  IconSparkles,
} from '@tabler/icons-react'

export const GROUPS = [
  {
    title: 'Trade',
    pages: [
      { to: '/', label: 'Dashboard', icon: IconHome },
      { to: '/market', label: 'Market', icon: IconChartCandle },
      { to: '/orders', label: 'Orders', icon: IconListDetails },
      { to: '/executions', label: 'Executions', icon: IconChecklist },
      { to: '/positions', label: 'Positions', icon: IconChartDonut3 },
      { to: '/trades', label: 'Trades', icon: IconArrowsExchange },
      { to: '/signals', label: 'Signals', icon: IconBulb },
    ],
  },
  {
    title: 'Build',
    pages: [
      { to: '/strategies', label: 'Strategies', icon: IconSparkles },
      { to: '/deployments', label: 'Deployments', icon: IconRocket },
    ],
  },
  {
    title: 'Operate',
    pages: [
      { to: '/trading-engine', label: 'Engine', icon: IconActivityHeartbeat },
      { to: '/risk', label: 'Risk', icon: IconShieldHalf },
      { to: '/data', label: 'Data', icon: IconDatabase },
      { to: '/settings', label: 'Settings', icon: IconSettings },
    ],
  },
] as const
