/** Oneself, how it looks here, and what this is. */
import { useQuery } from '@tanstack/react-query'
import { Facts } from '@/components/Facts'
import { Panel } from '@/components/Panel'
import { auth } from '@/lib/api/auth'
import { system } from '@/lib/api/health'
import { formatDuration, formatName } from '@/lib/format'
import { AppearancePanel } from './AppearancePanel'

export function AccountPanel() {
  const { data: me } = useQuery(auth.me())
  const { data: now } = useQuery(system())
  return (
    <>
      <Panel title="You">
        <Facts
          facts={[
            ['E-mail', me?.email],
            ['Name', me?.name ?? '–'],
            ['Role', me && formatName(me.role)],
            ['You may', me?.scopes.join(', ')],
          ]}
        />
      </Panel>
      <Panel title="Appearance">
        <AppearancePanel />
      </Panel>
      <Panel title="About">
        <Facts
          facts={[
            ['Version', now?.version ?? '–'],
            ['Running for', formatDuration(now?.process.uptime_seconds)],
            [
              'API',
              <a key="api" href="/docs">
                Documentation
              </a>,
            ],
          ]}
        />
        <p className="faint" style={{ fontSize: 12, marginBottom: 0 }}>
          Charts by{' '}
          <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer noopener">
            TradingView
          </a>{' '}
          Lightweight Charts™, © 2025 TradingView, Inc., Apache-2.0. Type: Inter, SIL OFL 1.1.
        </p>
      </Panel>
    </>
  )
}
