/** User and password of cameras, as they are typed in; the browser's own passwords are for people. */

export type CameraLogin = { readonly username: string; readonly password: string };

export const noLogin: CameraLogin = { username: '', password: '' };

export function LoginFields(props: {
  readonly login: CameraLogin;
  readonly onChange: (login: CameraLogin) => void;
  /** Names of the fields begin so: `camera-user`, `camera-password`. */
  readonly name: string;
  readonly userLabel?: string;
  /** Where a camera has them already, or needs none. */
  readonly placeholders?: CameraLogin;
}) {
  return (
    <>
      <label>
        {props.userLabel ?? 'User'}
        <input
          name={`${props.name}-user`}
          autocomplete="off"
          placeholder={props.placeholders?.username}
          value={props.login.username}
          onInput={(event) => props.onChange({ ...props.login, username: event.currentTarget.value })}
        />
      </label>
      <label>
        Password
        <input
          name={`${props.name}-password`}
          type="password"
          autocomplete="new-password"
          placeholder={props.placeholders?.password}
          value={props.login.password}
          onInput={(event) => props.onChange({ ...props.login, password: event.currentTarget.value })}
        />
      </label>
    </>
  );
}
