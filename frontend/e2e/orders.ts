/** Orders by hand: a trailing bracket is placed, changed and canceled; a pair is one decision. */
import { type Page, expect, test } from '@playwright/test'
import { baseUrl, seriousFindings } from './product'

async function choose(page: Page, label: string, option: string): Promise<void> {
  await page.getByRole('combobox', { name: label }).click()
  await page.getByRole('option', { name: option, exact: true }).click()
}

async function lastPrice(page: Page): Promise<number> {
  const line = page.getByText(/^Last price [\d,.]+/)
  await expect(line).toBeVisible()
  return Number(/Last price ([\d,.]+)/.exec((await line.textContent()) ?? '')?.[1]?.replaceAll(',', ''))
}

test('a bracket that trails is placed, changed and canceled', async ({ page }) => {
  await page.goto(`${baseUrl()}/orders?ticket=true&symbol=SPY`)
  const ticket = page.getByRole('dialog')
  const price = await lastPrice(page)

  await test.step('each type shows its own prices', async () => {
    await choose(page, 'Type', 'Trailing stop')
    await expect(ticket.getByLabel('Trail by')).toBeVisible()
    await expect(ticket.getByLabel('Limit price')).toHaveCount(0)
    await choose(page, 'Type', 'Limit')
    await ticket.getByRole('switch', { name: /One cancels the other/ }).check({ force: true })
    await expect(ticket.getByText(/^The second order needs|^Say how many/)).toBeVisible()
    expect(await seriousFindings(page)).toEqual([])
    await page.screenshot({ path: 'test-results/ticket.png' })
    await page.setViewportSize({ width: 360, height: 780 })
    await page.screenshot({ path: 'test-results/ticket-narrow.png' })
    await page.setViewportSize({ width: 1440, height: 900 })
    await ticket.getByRole('switch', { name: /One cancels the other/ }).uncheck({ force: true })
  })

  await test.step('it is placed once', async () => {
    await ticket.getByLabel('Quantity').fill('1')
    await ticket.getByLabel('Limit price').fill((price * 0.93).toFixed(2))
    await ticket.getByLabel('Trail it by').fill('5')
    await choose(page, 'Time in force', 'Good till canceled')
    // While the replay's strategy holds all that the limit of a position allows, it is denied.
    await expect(async () => {
      await ticket.getByRole('button', { name: /^Buy 1/ }).click()
      const change = page.getByRole('button', { name: 'Change this order' })
      await expect(change.or(ticket.getByText(/^Denied/)).first()).toBeVisible()
      await expect(change).toBeVisible({ timeout: 2_000 })
    }).toPass({ intervals: [2_000], timeout: 60_000 })
    await page.screenshot({ path: 'test-results/order.png' })
  })

  await test.step('another price is asked for, and the order has it', async () => {
    const wanted = (price * 0.92).toFixed(2)
    await page.getByRole('button', { name: 'Change this order' }).click()
    await page.getByLabel('Limit price').fill(wanted)
    expect(await seriousFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Ask for the change' }).click()
    await expect(page.getByRole('dialog').getByText(wanted).first()).toBeVisible()
    await page.screenshot({ path: 'test-results/changed.png' })
  })

  await test.step('it is canceled', async () => {
    await page.getByRole('button', { name: 'Cancel this order' }).click()
    await expect(page.getByRole('dialog').getByText('Canceled').first()).toBeVisible()
  })
})

test('working orders say where they rest', async ({ page }) => {
  await page.goto(`${baseUrl()}/orders?status=open`)
  await expect(page.getByRole('columnheader', { name: 'Rests' })).toBeVisible()
  await page.waitForLoadState('networkidle', { timeout: 3_000 }).catch(() => undefined)
  await page.screenshot({ path: 'test-results/orders.png' })
  expect(await seriousFindings(page)).toEqual([])
})
