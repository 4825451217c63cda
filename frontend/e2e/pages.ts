/** Every page, dark and light, wide and narrow: loads without an error, fits, and shuts nobody out. */
import { expect, test } from '@playwright/test'
import { baseUrl, seriousFindings } from './product'

const PAGES = {
  Dashboard: '/',
  Market: '/market',
  Orders: '/orders',
  Executions: '/executions',
  Positions: '/positions',
  Trades: '/trades',
  Signals: '/signals',
  Strategies: '/strategies',
  Deployments: '/deployments',
  Engine: '/trading-engine',
  Risk: '/risk',
  Data: '/data',
  Settings: '/settings',
} as const

for (const scheme of ['dark', 'light']) {
  for (const [title, path] of Object.entries(PAGES)) {
    test(`${title} is sound in ${scheme}`, async ({ page }) => {
      const problems: string[] = []
      page.on('pageerror', (error) => problems.push(String(error)))
      page.on('console', (message) => {
        if (message.type() === 'error') problems.push(message.text())
      })
      await page.addInitScript((chosen) => localStorage.setItem('tw-color-scheme', chosen), scheme)
      await page.goto(baseUrl() + path)
      await expect(page.getByRole('heading', { name: title, level: 1 })).toBeVisible()
      await expect(page.getByRole('button', { name: /^Emergency stop/ })).toBeVisible()
      await page.waitForLoadState('networkidle', { timeout: 3_000 }).catch(() => undefined)
      expect(await seriousFindings(page)).toEqual([])

      await page.setViewportSize({ width: 360, height: 780 })
      await expect(page.getByRole('button', { name: /^Emergency stop/ })).toBeInViewport()
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      expect(overflow).toBe(0)
      expect(problems).toEqual([])
    })
  }
}

test('the data page shows the stored series, opens their coverage, and takes a file', async ({ page }) => {
  await page.goto(`${baseUrl()}/`)
  await page.getByRole('link', { name: 'Data', exact: true }).click()
  const series = page.getByRole('grid', { name: 'Series' })

  await test.step('a series opens its coverage, which the keyboard can walk', async () => {
    await series.getByRole('row').filter({ hasText: 'SPY' }).filter({ hasText: '1m' }).first().click()
    const drawer = page.getByRole('dialog')
    const calendar = drawer.getByRole('group', { name: /^Coverage of SPY 1m/ })
    const days = calendar.getByRole('button')
    await expect(days.first()).toHaveAccessibleName(/\d of \d+ bars/)
    await days.last().focus()
    await page.keyboard.press('Home')
    await expect(days.first()).toBeFocused()
    await expect(page).toHaveURL(/series=/)
    expect(await seriousFindings(page)).toEqual([])
    await page.keyboard.press('Escape')
    await expect(drawer).toHaveCount(0)
  })

  await test.step('every view is sound', async () => {
    for (const tab of ['Gaps', 'Quarantine', 'Sources', 'Imports']) {
      await page.getByRole('tab', { name: tab }).click()
      await expect(page).toHaveURL(new RegExp(`tab=${tab.toLowerCase()}`))
      await page.waitForLoadState('networkidle', { timeout: 3_000 }).catch(() => undefined)
      expect(await seriousFindings(page)).toEqual([])
    }
    await expect(page.getByText('No file was imported here yet')).toBeVisible()
  })

  await test.step('a file is imported, and its series is there', async () => {
    const rows = ['15:00', '15:01', '15:02'].map((at) => `2026-02-03T${at}:00Z,10,11,9,10,100`)
    const buffer = Buffer.from(['time,open,high,low,close,volume', ...rows, ''].join('\n'))
    await page.locator('input[type=file]').setInputFiles({ name: 'IBM_1m.csv', mimeType: 'text/csv', buffer })
    await expect(page.getByRole('textbox', { name: 'Symbol' })).toHaveValue('IBM')
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    await expect(page.getByText('Done', { exact: true })).toBeVisible()
    await page.getByRole('button', { name: 'Show the series' }).click()
    await expect(series.getByRole('row').filter({ hasText: 'import:files' })).toContainText('IBM')
  })
})

test('the option chain is a view of the market, and says where chains come from', async ({ page }) => {
  await page.goto(`${baseUrl()}/market`)
  await page.getByRole('radiogroup', { name: 'View' }).getByText('Options').click()
  await expect(page.getByText(/^No option chain on/)).toBeVisible()
  await expect(page).toHaveURL(/view=options/)
  expect(await seriousFindings(page)).toEqual([])
})
