-- ONNX Runtime in the server's own processes, as an expert writes it: one session a process, one call a row, float32 in,
-- the probability of the positive class out.

create extension if not exists plpython3u;
create schema plpython_rival;
create table plpython_rival.model (bytes bytea not null);

create function plpython_rival.score(features real[]) returns double precision
language plpython3u immutable parallel safe cost 10000
as $$
  if 'run' in GD:
      return GD['run'](features)
  import numpy
  import onnxruntime

  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = 1
  model = plpy.execute('select bytes from plpython_rival.model')[0]['bytes']
  session = onnxruntime.InferenceSession(bytes(model), options)
  name = session.get_inputs()[0].name
  outputs = [session.get_outputs()[1].name]

  def run(row):
      probabilities = session.run(outputs, {name: numpy.array([row], numpy.float32)})[0]
      return float(probabilities[0][1])

  GD['run'] = run
  return run(features)
$$;
