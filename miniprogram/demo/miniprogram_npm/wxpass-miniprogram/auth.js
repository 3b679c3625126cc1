"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.Auth = void 0;
exports.presentPopup = presentPopup;
const errors_1 = require("./errors");
const status_1 = require("./status");
/** Asks for steps, once however many want them. */
class Auth {
    constructor(session, refresh, present) {
        this.session = session;
        this.refresh = refresh;
        this.present = present;
        /** Where the asking has got to. */
        this.status = new status_1.Status();
        const wrap = (steps, handler) => {
            const auth = this;
            return async function (...args) {
                await auth.pass(steps);
                return handler.apply(this, args);
            };
        };
        this.mustAuth = Object.assign((steps, handler) => (handler ? wrap(steps, handler) : this.pass(steps)), {
            method: (steps) => (target, _context, descriptor) => descriptor ? { ...descriptor, value: wrap(steps, descriptor.value) } : wrap(steps, target),
        });
    }
    missing(steps) {
        return steps.filter((s) => !this.session.steps.includes(s));
    }
    /** Asks for the steps; who comes while the user is being asked waits for that answer first. */
    async ask(steps) {
        while (this.missing(steps).length > 0) {
            const joined = this.asking;
            await (joined !== null && joined !== void 0 ? joined : this.open(this.missing(steps)));
            if (!joined && this.missing(steps).length > 0) {
                throw new errors_1.WxpassError('AUTH_STEP_REQUIRED', `the popup ended without ${this.missing(steps).join(', ')}`);
            }
        }
    }
    async pass(steps) {
        await this.session.ensureLogin();
        if (this.missing(steps).length === 0)
            return;
        if (!this.asking)
            await this.refresh(); // it may have been done elsewhere
        await this.ask(steps);
    }
    open(steps) {
        const asking = this.present(steps);
        this.asking = asking;
        this.status.begin();
        const over = () => {
            if (this.asking === asking)
                this.asking = undefined;
        };
        asking.then(() => {
            over();
            this.status.success(this.session.steps);
        }, (e) => {
            over();
            this.status.fail(e);
        });
        return asking;
    }
}
exports.Auth = Auth;
/** Opens the `<auth-popup id="auth-popup" />` of the page on top. */
function presentPopup(id) {
    return (steps) => {
        var _a;
        const pages = getCurrentPages();
        const page = pages[pages.length - 1];
        const popup = page === null || page === void 0 ? void 0 : page.selectComponent(`#${id}`);
        if (!(popup === null || popup === void 0 ? void 0 : popup.ask)) {
            return Promise.reject(new errors_1.WxpassError('AUTH_POPUP_MISSING', `${(_a = page === null || page === void 0 ? void 0 : page.route) !== null && _a !== void 0 ? _a : 'no page'} has no <auth-popup id="${id}" />`));
        }
        return popup.ask(steps);
    };
}
