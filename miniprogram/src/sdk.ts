// Written by `npm run generate` from ../schema.graphqls and operations/*.graphql. Do not edit.
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
/** Something a user has done that a field may ask for. The server keeps it; no token and no client asserts it. */
export type AuthStep =
  /** A profile was given: a nickname, and an avatar if the user chose one. See authorizeProfile. */
  | 'USER'
  /** A phone number is bound. See bindPhone. */
  | 'PHONE';

/** What a Mini Program sends to log in. */
export type SilentLoginInput = {
  /** The code wx.login gave. It works once and for five minutes. */
  code: string;
  /** The Mini Program's app id; the server's default app when left out. */
  appId?: string | null | undefined;
};

/** An order to place. */
export type CreateOrderInput = {
  /**
   * Made by the client, a new one for each order, and the same one when the same order is sent again: 1 to 64 letters,
   * digits, '.', '_', ':' or '-'.
   */
  idempotencyKey: string;
  /** What is ordered, 1 to 100 lines. */
  items: Array<OrderItemInput>;
  /** What the user wants to add, at most 200 characters. */
  remark?: string | null | undefined;
};

/** A line of an order to place. The price is the server's. */
export type OrderItemInput = {
  /** Which product. */
  productId: string | number;
  /** How many, 1 to 9999. */
  quantity: number;
};

/** An order to cancel. */
export type CancelOrderInput = {
  /** The number of the order. */
  orderNo: string;
};

/** How far an order is. */
export type OrderStatus =
  /** Placed, not paid. */
  | 'PENDING'
  /** Paid. */
  | 'PAID'
  /** Cancelled before it was paid. */
  | 'CANCELLED';

/** A profile. Send a nickname, an avatarId or both; or else encrypted data. */
export type AuthorizeProfileInput = {
  /** What `<input type="nickname">` gave: 1 to 32 characters, without control characters. */
  nickname?: string | null | undefined;
  /** What `POST /upload/avatar` answered. */
  avatarId?: string | number | null | undefined;
  /** From older clients: the data of wx.getUserProfile or wx.getUserInfo. */
  encrypted?: EncryptedDataInput | null | undefined;
};

/** What the phone button gave: one of the two. */
export type BindPhoneInput =
  {   /** The code of `e.detail`, in the handler of open-type getPhoneNumber. Not wx.login's. It lives five minutes. */
  code: string; encrypted?: never; }
  |  { code?: never;   /** From older clients: the encrypted data of `e.detail`. */
  encrypted: EncryptedDataInput; };

/**
 * What WeChat encrypts under the user's session key. Log in before the user taps: a login after the tap may bring a new key,
 * and the data then does not open.
 */
export type EncryptedDataInput = {
  /** As WeChat gave it, base64. */
  encryptedData: string;
  /** As WeChat gave it, base64. */
  iv: string;
  /** As WeChat gave it, to the letter. Belongs together with signature. */
  rawData?: string | null | undefined;
  /** As WeChat gave it, hex. */
  signature?: string | null | undefined;
};

/** That the user means to delete the account. */
export type DeleteAccountInput = {
  /** The word DELETE. */
  confirm: string;
};

/** Which sessions to end. */
export type LogoutInput = {
  /** Which of the caller's sessions end. */
  scope?: LogoutScope;
};

/** Which of the caller's sessions a logout ends. */
export type LogoutScope =
  /** The session the request was made in. */
  | 'THIS'
  /** All sessions but the one the request was made in. */
  | 'OTHERS'
  /** All sessions. */
  | 'ALL';

export type OrderFieldsFragment = { id: string, orderNo: string, status: OrderStatus, totalFen: number, remark: string | null, createdAt: string, updatedAt: string, items: Array<{ sku: string, title: string, quantity: number, unitPriceFen: number }> };

export type ProductsQueryVariables = Exact<{
  first?: number;
  after?: string | null | undefined;
}>;


export type ProductsQuery = { products: { edges: Array<{ node: { id: string, sku: string, title: string, priceFen: number } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } | null };

export type MyOrdersQueryVariables = Exact<{
  first?: number;
  after?: string | null | undefined;
  status?: OrderStatus | null | undefined;
}>;


export type MyOrdersQuery = { myOrders: { edges: Array<{ node: { id: string, orderNo: string, status: OrderStatus, totalFen: number, remark: string | null, createdAt: string, updatedAt: string, items: Array<{ sku: string, title: string, quantity: number, unitPriceFen: number }> } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } | null };

export type OrderQueryVariables = Exact<{
  orderNo: string;
}>;


export type OrderQuery = { order: { id: string, orderNo: string, status: OrderStatus, totalFen: number, remark: string | null, createdAt: string, updatedAt: string, items: Array<{ sku: string, title: string, quantity: number, unitPriceFen: number }> } | null };

export type CreateOrderMutationVariables = Exact<{
  input: CreateOrderInput;
}>;


export type CreateOrderMutation = { createOrder: { order: { id: string, orderNo: string, status: OrderStatus, totalFen: number, remark: string | null, createdAt: string, updatedAt: string, items: Array<{ sku: string, title: string, quantity: number, unitPriceFen: number }> } } | null };

export type CancelOrderMutationVariables = Exact<{
  input: CancelOrderInput;
}>;


export type CancelOrderMutation = { cancelOrder: { order: { id: string, orderNo: string, status: OrderStatus, totalFen: number, remark: string | null, createdAt: string, updatedAt: string, items: Array<{ sku: string, title: string, quantity: number, unitPriceFen: number }> } } | null };

export type MeFragment = { id: string, displayName: string, nickname: string | null, avatarUrl: string | null, points: number, steps: Array<AuthStep>, maskedPhone: string | null };

export type SilentLoginMutationVariables = Exact<{
  input: SilentLoginInput;
}>;


export type SilentLoginMutation = { silentLogin: { token: string, expiresAt: string, isNewUser: boolean, user: { id: string, displayName: string, nickname: string | null, avatarUrl: string | null, points: number, steps: Array<AuthStep>, maskedPhone: string | null } } | null };

export type RenewSessionMutationVariables = Exact<{ [key: string]: never; }>;


export type RenewSessionMutation = { renewSession: { token: string, expiresAt: string } | null };

export type LogoutMutationVariables = Exact<{
  input?: LogoutInput | null | undefined;
}>;


export type LogoutMutation = { logout: { endedSessions: number } | null };

export type MeQueryVariables = Exact<{ [key: string]: never; }>;


export type MeQuery = { me: { id: string, displayName: string, nickname: string | null, avatarUrl: string | null, points: number, steps: Array<AuthStep>, maskedPhone: string | null } | null };

export type MySessionsQueryVariables = Exact<{ [key: string]: never; }>;


export type MySessionsQuery = { mySessions: Array<{ id: string, appId: string, current: boolean, createdAt: string, expiresAt: string }> | null };

export type AuthorizeProfileMutationVariables = Exact<{
  input: AuthorizeProfileInput;
}>;


export type AuthorizeProfileMutation = { authorizeProfile: { user: { id: string, displayName: string, nickname: string | null, avatarUrl: string | null, points: number, steps: Array<AuthStep>, maskedPhone: string | null } } | null };

export type BindPhoneMutationVariables = Exact<{
  input: BindPhoneInput;
}>;


export type BindPhoneMutation = { bindPhone: { user: { id: string, displayName: string, nickname: string | null, avatarUrl: string | null, points: number, steps: Array<AuthStep>, maskedPhone: string | null } } | null };

export type UnbindPhoneMutationVariables = Exact<{ [key: string]: never; }>;


export type UnbindPhoneMutation = { unbindPhone: { user: { id: string, displayName: string, nickname: string | null, avatarUrl: string | null, points: number, steps: Array<AuthStep>, maskedPhone: string | null } } | null };

export type DeleteAccountMutationVariables = Exact<{
  input: DeleteAccountInput;
}>;


export type DeleteAccountMutation = { deleteAccount: { deleted: boolean } | null };

/** A GraphQL document: the text of the query, with its types attached for the compiler alone. */
export type Doc<R, V> = string & { readonly __result?: R; readonly __variables?: V };

/** What the server says went wrong: `extensions.code` of every error. */
export type ErrorCode = 'UNAUTHENTICATED' | 'AUTH_STEP_REQUIRED' | 'LOGIN_CODE_INVALID' | 'PHONE_CODE_INVALID' | 'SESSION_KEY_EXPIRED' | 'ENCRYPTED_DATA_INVALID' | 'PHONE_ALREADY_BOUND' | 'ACCOUNT_BLOCKED' | 'BAD_INPUT' | 'CONFLICT' | 'RATE_LIMITED' | 'WECHAT_UNAVAILABLE' | 'SERVER_MISCONFIGURED' | 'GRAPHQL_PARSE_FAILED' | 'GRAPHQL_VALIDATION_FAILED' | 'QUERY_TOO_COMPLEX' | 'OPERATION_NOT_TRUSTED' | 'INTERNAL';

export const documents = {
  products: "query Products($first:Int!=20$after:String){products(first:$first after:$after){edges{node{id sku title priceFen}}pageInfo{hasNextPage endCursor}}}" as Doc<ProductsQuery, ProductsQueryVariables>,
  myOrders: "query MyOrders($first:Int!=20$after:String$status:OrderStatus){myOrders(first:$first after:$after status:$status){edges{node{...OrderFields}}pageInfo{hasNextPage endCursor}}}fragment OrderFields on Order{id orderNo status totalFen remark createdAt updatedAt items{sku title quantity unitPriceFen}}" as Doc<MyOrdersQuery, MyOrdersQueryVariables>,
  order: "query Order($orderNo:String!){order(orderNo:$orderNo){...OrderFields}}fragment OrderFields on Order{id orderNo status totalFen remark createdAt updatedAt items{sku title quantity unitPriceFen}}" as Doc<OrderQuery, OrderQueryVariables>,
  createOrder: "mutation CreateOrder($input:CreateOrderInput!){createOrder(input:$input){order{...OrderFields}}}fragment OrderFields on Order{id orderNo status totalFen remark createdAt updatedAt items{sku title quantity unitPriceFen}}" as Doc<CreateOrderMutation, CreateOrderMutationVariables>,
  cancelOrder: "mutation CancelOrder($input:CancelOrderInput!){cancelOrder(input:$input){order{...OrderFields}}}fragment OrderFields on Order{id orderNo status totalFen remark createdAt updatedAt items{sku title quantity unitPriceFen}}" as Doc<CancelOrderMutation, CancelOrderMutationVariables>,
  silentLogin: "mutation SilentLogin($input:SilentLoginInput!){silentLogin(input:$input){token expiresAt isNewUser user{...Me}}}fragment Me on User{id displayName nickname avatarUrl points steps maskedPhone}" as Doc<SilentLoginMutation, SilentLoginMutationVariables>,
  renewSession: "mutation RenewSession{renewSession{token expiresAt}}" as Doc<RenewSessionMutation, RenewSessionMutationVariables>,
  logout: "mutation Logout($input:LogoutInput){logout(input:$input){endedSessions}}" as Doc<LogoutMutation, LogoutMutationVariables>,
  me: "query Me{me{...Me}}fragment Me on User{id displayName nickname avatarUrl points steps maskedPhone}" as Doc<MeQuery, MeQueryVariables>,
  mySessions: "query MySessions{mySessions{id appId current createdAt expiresAt}}" as Doc<MySessionsQuery, MySessionsQueryVariables>,
  authorizeProfile: "mutation AuthorizeProfile($input:AuthorizeProfileInput!){authorizeProfile(input:$input){user{...Me}}}fragment Me on User{id displayName nickname avatarUrl points steps maskedPhone}" as Doc<AuthorizeProfileMutation, AuthorizeProfileMutationVariables>,
  bindPhone: "mutation BindPhone($input:BindPhoneInput!){bindPhone(input:$input){user{...Me}}}fragment Me on User{id displayName nickname avatarUrl points steps maskedPhone}" as Doc<BindPhoneMutation, BindPhoneMutationVariables>,
  unbindPhone: "mutation UnbindPhone{unbindPhone{user{...Me}}}fragment Me on User{id displayName nickname avatarUrl points steps maskedPhone}" as Doc<UnbindPhoneMutation, UnbindPhoneMutationVariables>,
  deleteAccount: "mutation DeleteAccount($input:DeleteAccountInput!){deleteAccount(input:$input){deleted}}" as Doc<DeleteAccountMutation, DeleteAccountMutationVariables>,
};

export type Request<O = unknown> = <R, V>(doc: Doc<R, V>, variables?: V, options?: O) => Promise<R>;

/** One function for each operation, all sent by request. */
export function getSdk<O = unknown>(request: Request<O>) {
  return {
    products: (variables?: ProductsQueryVariables, options?: O): Promise<ProductsQuery> => request(documents.products, variables, options),
    myOrders: (variables?: MyOrdersQueryVariables, options?: O): Promise<MyOrdersQuery> => request(documents.myOrders, variables, options),
    order: (variables: OrderQueryVariables, options?: O): Promise<OrderQuery> => request(documents.order, variables, options),
    createOrder: (variables: CreateOrderMutationVariables, options?: O): Promise<CreateOrderMutation> => request(documents.createOrder, variables, options),
    cancelOrder: (variables: CancelOrderMutationVariables, options?: O): Promise<CancelOrderMutation> => request(documents.cancelOrder, variables, options),
    silentLogin: (variables: SilentLoginMutationVariables, options?: O): Promise<SilentLoginMutation> => request(documents.silentLogin, variables, options),
    renewSession: (variables?: RenewSessionMutationVariables, options?: O): Promise<RenewSessionMutation> => request(documents.renewSession, variables, options),
    logout: (variables?: LogoutMutationVariables, options?: O): Promise<LogoutMutation> => request(documents.logout, variables, options),
    me: (variables?: MeQueryVariables, options?: O): Promise<MeQuery> => request(documents.me, variables, options),
    mySessions: (variables?: MySessionsQueryVariables, options?: O): Promise<MySessionsQuery> => request(documents.mySessions, variables, options),
    authorizeProfile: (variables: AuthorizeProfileMutationVariables, options?: O): Promise<AuthorizeProfileMutation> => request(documents.authorizeProfile, variables, options),
    bindPhone: (variables: BindPhoneMutationVariables, options?: O): Promise<BindPhoneMutation> => request(documents.bindPhone, variables, options),
    unbindPhone: (variables?: UnbindPhoneMutationVariables, options?: O): Promise<UnbindPhoneMutation> => request(documents.unbindPhone, variables, options),
    deleteAccount: (variables: DeleteAccountMutationVariables, options?: O): Promise<DeleteAccountMutation> => request(documents.deleteAccount, variables, options),
  };
}

export type Sdk<O = unknown> = ReturnType<typeof getSdk<O>>;
