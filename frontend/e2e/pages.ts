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

test('the option chain is a view of the market, and says where chains come from', async ({ page }) => {
  await page.goto(`${baseUrl()}/market`)
  await page.getByRole('radiogroup', { name: 'View' }).getByText('Options').click()
  await expect(page.getByText(/^No option chain on/)).toBeVisible()
  await expect(page).toHaveURL(/view=options/)
  expect(await seriousFindings(page)).toEqual([])
})
