// The answer goes on by itself; without a script the button is pressed.
document.querySelector('form').submit();
