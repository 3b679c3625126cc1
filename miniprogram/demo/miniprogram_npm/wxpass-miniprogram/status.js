"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.Status = void 0;
/**
 * Where something that is started once and waited for in many places has got to. A page may subscribe before, while or
 * after it happens: whoever comes late is answered at once.
 */
class Status {
    constructor() {
        this.state = 'idle';
        this.successes = [];
        this.failures = [];
    }
    /** A new attempt begins: those who come now wait for its end. */
    begin() {
        this.state = 'pending';
        this.value = this.error = undefined;
    }
    success(value) {
        this.state = 'success';
        this.value = value;
        const waiting = this.successes.splice(0);
        waiting.forEach((f) => call(f, value));
    }
    fail(error) {
        this.state = 'fail';
        this.error = error;
        const waiting = this.failures.splice(0);
        waiting.forEach((f) => call(f, error));
    }
    /** Nothing has happened yet; those who wait go on waiting. */
    reset() {
        this.state = 'idle';
        this.value = this.error = undefined;
    }
    /** Calls f once: now when the last attempt succeeded, else at the next success. Returns what takes f back. */
    onceSuccess(f) {
        if (this.state === 'success') {
            call(f, this.value);
            return () => { };
        }
        this.successes.push(f);
        return () => void remove(this.successes, f);
    }
    /** Calls f once: now when the last attempt failed, else at the next failure. Returns what takes f back. */
    onceFail(f) {
        if (this.state === 'fail') {
            call(f, this.error);
            return () => { };
        }
        this.failures.push(f);
        return () => void remove(this.failures, f);
    }
    /** Settles with the last attempt when it is over, else with the next one to end. */
    wait() {
        return new Promise((resolve, reject) => {
            const offs = [];
            const settle = (f) => (v) => {
                offs.forEach((off) => off());
                f(v);
            };
            offs.push(this.onceSuccess(settle(resolve)));
            if (this.state !== 'success')
                offs.push(this.onceFail(settle(reject)));
        });
    }
}
exports.Status = Status;
function remove(list, f) {
    const i = list.indexOf(f);
    if (i >= 0)
        list.splice(i, 1);
}
/** One listener that throws must not keep the others from being told. */
function call(f, value) {
    try {
        f(value);
    }
    catch (e) {
        console.error(e);
    }
}
