/** What the tests ask the running product beside its pages. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Page, expect } from '@playwright/test'

export function baseUrl(): string {
  const url = process.env.BASE_URL
  if (url === undefined) throw new Error('BASE_URL is not set')
  return url
}

async function ask<T>(page: Page, path: string): Promise<T> {
  const response = await page.request.get(`${baseUrl()}${path}`)
  expect(response.ok(), `${path} answered ${String(response.status())}`).toBe(true)
  return (await response.json()) as T
}

interface Items<T> {
  items: T[]
}

/** The account's own clock, in minutes. */
export async function marketMinutes(page: Page): Promise<number> {
  const { items } = await ask<Items<{ market_at: string | null }>>(page, '/api/accounts')
  return Date.parse(items[0]?.market_at ?? '1970-01-01') / 60_000
}

export async function orderIds(page: Page): Promise<string[]> {
  const { items } = await ask<Items<{ client_order_id: string }>>(page, '/api/orders?limit=1000')
  return items.map(({ client_order_id }) => client_order_id)
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Findings of axe that keep somebody from using the page. */
export async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: {
        run: () => Promise<{ violations: { id: string; impact: string; nodes: { target: string[] }[] }[] }>
      }
    }
    const { violations } = await axe.run()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(' | ')}`)
  })
}
