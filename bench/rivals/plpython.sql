-- ONNX Runtime in the server's own processes, as an expert writes it: one session a process and model, one call a row, float32
-- in, the probability of the positive class out.

create extension if not exists plpython3u;
create schema plpython_rival;
create table plpython_rival.model (name text primary key, bytes bytea not null);

create function plpython_rival.score(model text, features real[]) returns double precision
language plpython3u immutable parallel safe cost 10000
as $$
  if model in GD:
      return GD[model](features)
  import numpy
  import onnxruntime

  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = 1
  plan = plpy.prepare('select bytes from plpython_rival.model where name = $1', ['text'])
  session = onnxruntime.InferenceSession(bytes(plpy.execute(plan, [model])[0]['bytes']), options)
  name = session.get_inputs()[0].name
  outputs = [session.get_outputs()[1].name]

  def run(row):
      probabilities = session.run(outputs, {name: numpy.array([row], numpy.float32)})[0]
      return float(probabilities[0][1])

  GD[model] = run
  return run(features)
$$;
