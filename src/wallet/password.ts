import { AppError } from '../shared/errors.ts';

const SHORTEST = 8;
const LONGEST = 1024;
const FIRST_GUESSES = new Set([
  'password',
  'password1',
  'passw0rd',
  'passwort',
  '12345678',
  '123456789',
  '1234567890',
  '87654321',
  'qwertyui',
  'qwertyuiop',
  'qwerty123',
  'asdfghjk',
  'iloveyou',
  'abcd1234',
  'abcdefgh',
  'letmein1',
  'ethereum',
  'commonwatt',
]);

/**
 * A password somebody chooses now. One that merely opens an existing file is never judged.
 * @throws AppError `bad-input` naming the field and what to change.
 */
export function checkNewPassword(password: string, field = 'password'): void {
  const refuse = (message: string) => {
    throw new AppError('bad-input', message, {
      field,
      next: 'Choose at least eight characters, for example four words that have nothing to do with each other.',
    });
  };
  const text = password.normalize('NFKC');
  if (text.trim() === '') refuse('The password is empty.');
  const characters = Array.from(text).length;
  if (characters < SHORTEST) refuse(`The password is too short: ${characters} of at least ${SHORTEST} characters.`);
  if (text.length > LONGEST) refuse(`The password is longer than ${LONGEST} characters.`);
  if (new Set(text).size < 4 || FIRST_GUESSES.has(text.toLowerCase())) {
    refuse('The password is among the first that anybody would try.');
  }
}
