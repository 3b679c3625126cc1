// WXML built-ins the demo uses. Each is a real glass-easel component; native-* tags become plain DOM.
export const builtins = {
  view: { wxml: '<slot />' },
  form: { wxml: '<slot />', kind: 'form' },
  text: { wxml: '<slot />' },
  image: { props: { src: String, mode: String }, wxml: '<native-img src="{{src}}" alt="" />' },
  button: { props: { openType: String, formType: String, type: String, size: String, disabled: Boolean, loading: Boolean, plain: Boolean }, wxml: '<slot />', kind: 'button' },
  input: {
    props: { name: String, type: String, value: String, placeholder: String, maxlength: Number, disabled: Boolean },
    wxml: '<native-input name="{{name}}" disabled="{{disabled}}" type="{{type === \'number\' ? \'number\' : \'text\'}}" placeholder="{{placeholder}}" value="{{value}}" catch:input="onInput" catch:blur="onBlur" />',
    kind: 'input',
  },
}
