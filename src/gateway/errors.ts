import type { DomainError, DomainErrors } from '../kit/errors/index.ts';

const notFound = (code: string, what: string): DomainError => ({
  code,
  status: 404,
  message: `The ${what} does not exist or is deleted. Check its id.`,
});
const exists = (code: string, message: string): DomainError => ({ code, status: 409, message });

const USER_NOT_FOUND = notFound('USER_NOT_FOUND', 'user');
const GROUP_NOT_FOUND = notFound('GROUP_NOT_FOUND', 'group');

/** What each constraint and each missing row of the gateway means (specification 10.1). */
export const gatewayErrors: DomainErrors = {
  constraints: {
    users_email_unique_active: exists('EMAIL_EXISTS', 'A user with this e-mail exists. Choose another one.'),
    api_keys_key_key: exists('API_KEY_EXISTS', 'This key value is or was in use. Generate another one.'),
    groups_name_unique_active: exists('GROUP_EXISTS', 'A group with this name exists. Choose another one.'),
    api_keys_user_id_fkey: USER_NOT_FOUND,
    api_keys_group_id_fkey: GROUP_NOT_FOUND,
    groups_fallback_group_id_fkey: GROUP_NOT_FOUND,
    user_allowed_groups_user_id_fkey: USER_NOT_FOUND,
    user_allowed_groups_group_id_fkey: GROUP_NOT_FOUND,
  },
  notFound: {
    User: USER_NOT_FOUND,
    Group: GROUP_NOT_FOUND,
    ApiKey: notFound('API_KEY_NOT_FOUND', 'API key'),
  },
};
