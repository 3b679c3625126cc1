"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.documents = void 0;
exports.getSdk = getSdk;
exports.documents = {
    products: "query Products($first:Int!=20$after:String){products(first:$first after:$after){edges{node{id sku title priceFen}}pageInfo{hasNextPage endCursor}}}",
    myOrders: "query MyOrders($first:Int!=20$after:String$status:OrderStatus){myOrders(first:$first after:$after status:$status){edges{node{...OrderFields}}pageInfo{hasNextPage endCursor}}}fragment OrderFields on Order{id orderNo status totalFen remark createdAt updatedAt items{sku title quantity unitPriceFen}}",
    order: "query Order($orderNo:String!){order(orderNo:$orderNo){...OrderFields}}fragment OrderFields on Order{id orderNo status totalFen remark createdAt updatedAt items{sku title quantity unitPriceFen}}",
    createOrder: "mutation CreateOrder($input:CreateOrderInput!){createOrder(input:$input){order{...OrderFields}}}fragment OrderFields on Order{id orderNo status totalFen remark createdAt updatedAt items{sku title quantity unitPriceFen}}",
    cancelOrder: "mutation CancelOrder($input:CancelOrderInput!){cancelOrder(input:$input){order{...OrderFields}}}fragment OrderFields on Order{id orderNo status totalFen remark createdAt updatedAt items{sku title quantity unitPriceFen}}",
    silentLogin: "mutation SilentLogin($input:SilentLoginInput!){silentLogin(input:$input){token expiresAt isNewUser user{...Me}}}fragment Me on User{id displayName nickname avatarUrl points steps maskedPhone}",
    renewSession: "mutation RenewSession{renewSession{token expiresAt}}",
    logout: "mutation Logout($input:LogoutInput){logout(input:$input){endedSessions}}",
    me: "query Me{me{...Me}}fragment Me on User{id displayName nickname avatarUrl points steps maskedPhone}",
    mySessions: "query MySessions{mySessions{id appId current createdAt expiresAt}}",
    authorizeProfile: "mutation AuthorizeProfile($input:AuthorizeProfileInput!){authorizeProfile(input:$input){user{...Me}}}fragment Me on User{id displayName nickname avatarUrl points steps maskedPhone}",
    bindPhone: "mutation BindPhone($input:BindPhoneInput!){bindPhone(input:$input){user{...Me}}}fragment Me on User{id displayName nickname avatarUrl points steps maskedPhone}",
    unbindPhone: "mutation UnbindPhone{unbindPhone{user{...Me}}}fragment Me on User{id displayName nickname avatarUrl points steps maskedPhone}",
    deleteAccount: "mutation DeleteAccount($input:DeleteAccountInput!){deleteAccount(input:$input){deleted}}",
};
/** One function for each operation, all sent by request. */
function getSdk(request) {
    return {
        products: (variables, options) => request(exports.documents.products, variables, options),
        myOrders: (variables, options) => request(exports.documents.myOrders, variables, options),
        order: (variables, options) => request(exports.documents.order, variables, options),
        createOrder: (variables, options) => request(exports.documents.createOrder, variables, options),
        cancelOrder: (variables, options) => request(exports.documents.cancelOrder, variables, options),
        silentLogin: (variables, options) => request(exports.documents.silentLogin, variables, options),
        renewSession: (variables, options) => request(exports.documents.renewSession, variables, options),
        logout: (variables, options) => request(exports.documents.logout, variables, options),
        me: (variables, options) => request(exports.documents.me, variables, options),
        mySessions: (variables, options) => request(exports.documents.mySessions, variables, options),
        authorizeProfile: (variables, options) => request(exports.documents.authorizeProfile, variables, options),
        bindPhone: (variables, options) => request(exports.documents.bindPhone, variables, options),
        unbindPhone: (variables, options) => request(exports.documents.unbindPhone, variables, options),
        deleteAccount: (variables, options) => request(exports.documents.deleteAccount, variables, options),
    };
}
