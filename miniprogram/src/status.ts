type Listener<T> = (value: T) => void

/**
 * Where something that is started once and waited for in many places has got to. A page may subscribe before, while or
 * after it happens: whoever comes late is answered at once.
 */
export class Status<T = void> {
  state: 'idle' | 'pending' | 'success' | 'fail' = 'idle'
  private value: T | undefined
  private error: unknown
  private successes: Listener<T>[] = []
  private failures: Listener<unknown>[] = []

  /** A new attempt begins: those who come now wait for its end. */
  begin(): void {
    this.state = 'pending'
    this.value = this.error = undefined
  }

  success(value: T): void {
    this.state = 'success'
    this.value = value
    const waiting = this.successes.splice(0)
    waiting.forEach((f) => call(f, value))
  }

  fail(error: unknown): void {
    this.state = 'fail'
    this.error = error
    const waiting = this.failures.splice(0)
    waiting.forEach((f) => call(f, error))
  }

  /** Nothing has happened yet; those who wait go on waiting. */
  reset(): void {
    this.state = 'idle'
    this.value = this.error = undefined
  }

  /** Calls f once: now when the last attempt succeeded, else at the next success. Returns what takes f back. */
  onceSuccess(f: Listener<T>): () => void {
    if (this.state === 'success') {
      call(f, this.value as T)
      return () => {}
    }
    this.successes.push(f)
    return () => void remove(this.successes, f)
  }

  /** Calls f once: now when the last attempt failed, else at the next failure. Returns what takes f back. */
  onceFail(f: Listener<unknown>): () => void {
    if (this.state === 'fail') {
      call(f, this.error)
      return () => {}
    }
    this.failures.push(f)
    return () => void remove(this.failures, f)
  }

  /** Settles with the last attempt when it is over, else with the next one to end. */
  wait(): Promise<T> {
    return new Promise((resolve, reject) => {
      const offs: Array<() => void> = []
      const settle = <V>(f: Listener<V>) => (v: V) => {
        offs.forEach((off) => off())
        f(v)
      }
      offs.push(this.onceSuccess(settle(resolve as Listener<T>)))
      if (this.state !== 'success') offs.push(this.onceFail(settle(reject)))
    })
  }
}

function remove<F>(list: F[], f: F): void {
  const i = list.indexOf(f)
  if (i >= 0) list.splice(i, 1)
}

/** One listener that throws must not keep the others from being told. */
function call<T>(f: Listener<T>, value: T): void {
  try {
    f(value)
  } catch (e) {
    console.error(e)
  }
}
