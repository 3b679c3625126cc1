"use strict";
var __createBinding = (this && this.__createBinding) || (Object.create ? (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    var desc = Object.getOwnPropertyDescriptor(m, k);
    if (!desc || ("get" in desc ? !m.__esModule : desc.writable || desc.configurable)) {
      desc = { enumerable: true, get: function() { return m[k]; } };
    }
    Object.defineProperty(o, k2, desc);
}) : (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    o[k2] = m[k];
}));
var __exportStar = (this && this.__exportStar) || function(m, exports) {
    for (var p in m) if (p !== "default" && !Object.prototype.hasOwnProperty.call(exports, p)) __createBinding(exports, m, p);
};
Object.defineProperty(exports, "__esModule", { value: true });
exports.Status = exports.WxpassError = exports.messageFor = exports.newIdempotencyKey = exports.getClient = exports.createClient = void 0;
var client_1 = require("./client");
Object.defineProperty(exports, "createClient", { enumerable: true, get: function () { return client_1.createClient; } });
Object.defineProperty(exports, "getClient", { enumerable: true, get: function () { return client_1.getClient; } });
Object.defineProperty(exports, "newIdempotencyKey", { enumerable: true, get: function () { return client_1.newIdempotencyKey; } });
var errors_1 = require("./errors");
Object.defineProperty(exports, "messageFor", { enumerable: true, get: function () { return errors_1.messageFor; } });
Object.defineProperty(exports, "WxpassError", { enumerable: true, get: function () { return errors_1.WxpassError; } });
var status_1 = require("./status");
Object.defineProperty(exports, "Status", { enumerable: true, get: function () { return status_1.Status; } });
__exportStar(require("./sdk"), exports);
