/** Settings: oneself and how one signs in; for admins also who else may, and what is kept. */
import { Tabs } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { createLazyRoute, getRouteApi } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { SettingsTab } from '@/app/search'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { CredentialsPanel } from '@/features/credentials/CredentialsPanel'
import { AuditPanel } from '@/features/audit/AuditPanel'
import { BackupsPanel } from '@/features/backups/BackupsPanel'
import { ChannelsPanel } from '@/features/notifications/ChannelsPanel'
import { SecondFactorPanel } from '@/features/second-factor/SecondFactorPanel'
import { AccountPanel } from '@/features/settings/AccountPanel'
import { ApiKeysPanel } from '@/features/settings/ApiKeysPanel'
import { PasswordForm } from '@/features/settings/PasswordForm'
import { SessionsPanel } from '@/features/settings/SessionsPanel'
import { UsersPanel } from '@/features/users/UsersPanel'
import { useMay } from '@/lib/permission'
import { useChosenInView } from '@/lib/use-in-view'
import { asText, useUrlState } from '@/lib/url-state'
import styles from './settings.module.css'

const page = getRouteApi('/frame/settings')

interface Section {
  tab: SettingsTab
  title: string
  /** Only admins see it. */
  isForAdmins?: boolean
  content: ReactNode
}

function useSections(): Section[] {
  const { user, act, actor, action, resource } = page.useSearch()
  const filter = { actor, action, resource }
  const change = useUrlState()
  const isAdmin = useMay('admin')
  const all: Section[] = [
    { tab: 'account', title: 'Account', content: <AccountPanel /> },
    {
      tab: 'security',
      title: 'Signing in',
      content: (
        <>
          <Panel title="Two-factor sign-in">
            <SecondFactorPanel />
          </Panel>
          <Panel title="Password">
            <PasswordForm />
          </Panel>
        </>
      ),
    },
    {
      tab: 'sessions',
      title: 'Sessions',
      content: (
        <Panel title="Where you are signed in">
          <SessionsPanel />
        </Panel>
      ),
    },
    {
      tab: 'keys',
      title: 'API keys',
      content: (
        <Panel title="Your API keys">
          <ApiKeysPanel />
        </Panel>
      ),
    },
    {
      tab: 'users',
      title: 'Users and roles',
      isForAdmins: true,
      content: (
        <Panel flush className={styles.table}>
          <UsersPanel openId={user} onOpen={(id) => change({ user: id })} />
        </Panel>
      ),
    },
    {
      tab: 'credentials',
      title: 'Credentials',
      isForAdmins: true,
      content: (
        <Panel title="Keys of vendors">
          <CredentialsPanel />
        </Panel>
      ),
    },
    {
      tab: 'notifications',
      title: 'Notifications',
      isForAdmins: true,
      content: (
        <Panel title="Where alerts are sent to">
          <ChannelsPanel />
        </Panel>
      ),
    },
    {
      tab: 'backups',
      title: 'Backups',
      isForAdmins: true,
      content: (
        <Panel title="Backups">
          <BackupsPanel />
        </Panel>
      ),
    },
    {
      tab: 'audit',
      title: 'Audit trail',
      isForAdmins: true,
      content: (
        <Panel flush className={styles.table}>
          <AuditPanel
            filter={filter}
            values={asText(filter)}
            onFilter={change}
            openSeq={act}
            onOpen={(seq) => change({ act: seq })}
          />
        </Panel>
      ),
    },
  ]
  return all.filter(({ isForAdmins }) => isAdmin || isForAdmins !== true)
}

function SettingsPage() {
  const { tab = 'account' } = page.useSearch()
  const change = useUrlState()
  const sections = useSections()
  const strip = useChosenInView(tab)
  const isWide = useMediaQuery('(min-width: 62em)', true, { getInitialValueInEffect: false })
  return (
    <Page title="Settings">
      <Tabs
        value={tab}
        onChange={(next) => change({ tab: next === 'account' ? undefined : next, user: undefined })}
        orientation={isWide ? 'vertical' : 'horizontal'}
        keepMounted={false}
        classNames={{ root: styles.root, list: styles.list, panel: styles.panel }}
      >
        <Tabs.List ref={strip}>
          {sections.map((section) => (
            <Tabs.Tab key={section.tab} value={section.tab}>
              {section.title}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {sections.map((section) => (
          <Tabs.Panel key={section.tab} value={section.tab}>
            {section.content}
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  )
}

export const route = createLazyRoute('/frame/settings')({ component: SettingsPage })
