/** Settings: oneself, how it looks, where one is signed in, keys for programs. */
import { useQuery } from '@tanstack/react-query'
import { createLazyRoute } from '@tanstack/react-router'
import { Facts } from '@/components/Facts'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { ApiKeysPanel } from '@/features/settings/ApiKeysPanel'
import { AppearancePanel } from '@/features/settings/AppearancePanel'
import { PasswordForm } from '@/features/settings/PasswordForm'
import { SessionsPanel } from '@/features/settings/SessionsPanel'
import { auth } from '@/lib/api/auth'
import { system } from '@/lib/api/health'
import { formatDuration } from '@/lib/format'
import styles from './settings.module.css'

function SettingsPage() {
  const { data: me } = useQuery(auth.me())
  const { data: now } = useQuery(system())
  return (
    <Page title="Settings">
      <div className={styles.columns}>
        <Panel title="You">
          <Facts
            facts={[
              ['E-mail', me?.email],
              ['Name', me?.name ?? '–'],
              ['Role', me?.role],
            ]}
          />
        </Panel>
        <Panel title="Appearance">
          <AppearancePanel />
        </Panel>
        <Panel title="Signed in">
          <SessionsPanel />
        </Panel>
        <Panel title="API keys">
          <ApiKeysPanel />
        </Panel>
        <Panel title="Password">
          <PasswordForm />
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
      </div>
    </Page>
  )
}

export const route = createLazyRoute('/frame/settings')({ component: SettingsPage })
